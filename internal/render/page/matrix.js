"use strict";
(function () {
  var form = document.getElementById("filter");
  var shown = document.getElementById("shown");
  var rows = Array.prototype.slice.call(document.querySelectorAll("tbody tr"));
  function fits(row, name, value) {
    var has = row.getAttribute("data-" + name);
    if (value === "") { return true; }
    if (name === "codes") { return (" " + has + " ").indexOf(" " + value + " ") !== -1; }
    if (name === "runbook") { return row.cells[0].textContent.toLowerCase().indexOf(value.toLowerCase()) !== -1; }
    return has === value;
  }
  function filter() {
    var wanted = ["runbook", "worker", "caller", "answer", "codes"].map(function (name) {
      return [name, form.elements[name].value];
    });
    var count = 0;
    rows.forEach(function (row) {
      var hide = wanted.some(function (want) { return !fits(row, want[0], want[1]); });
      row.hidden = hide;
      if (!hide) { count += 1; }
    });
    shown.textContent = count + " of " + rows.length;
  }
  form.addEventListener("input", filter);
  form.addEventListener("reset", function () { setTimeout(filter, 0); });
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.hidden = false;
  filter();
}());
