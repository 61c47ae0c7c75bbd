<#
.SYNOPSIS
Restarts one computer and waits until PowerShell answers on it again.
#>
param(
    [Parameter(Mandatory = $true)]
    [ValidatePattern('^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$')]
    [string] $ComputerName,

    [int] $TimeoutSeconds = 600
)

$ErrorActionPreference = 'Stop'

Restart-Computer -ComputerName $ComputerName -Force -Wait -For PowerShell -Timeout $TimeoutSeconds
Write-Output "$ComputerName is up again"
