# The gate was started with variables that make interpreters run something else.
for name in LD_PRELOAD LD_LIBRARY_PATH BASH_ENV ENV PYTHONPATH PYTHONSTARTUP PSModulePath IDENTITY_HEADER PERL5OPT NODE_OPTIONS PROMPT_COMMAND WRIT_SECRET; do
  if [ -n "${!name+set}" ]; then echo "ESCAPED: $name=${!name}"; fi
done
if type injected >/dev/null 2>&1; then echo "ESCAPED: a function of the environment"; fi
if python3 -c 'import sys; sys.exit("evil" in " ".join(sys.path))'; then :; else echo "ESCAPED: a path of Python"; fi
echo tried
