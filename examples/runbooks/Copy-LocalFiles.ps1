<#
.SYNOPSIS
Copies all files of one folder to another, on the worker's own network.

.DESCRIPTION
The files may be large, so they should not travel to the cloud and back: a
worker near both folders copies them. What is in the destination under the same
name is overwritten.
#>
param(
    [Parameter(Mandatory = $true)]
    [string] $SourcePath,

    [Parameter(Mandatory = $true)]
    [string] $DestinationPath
)

$ErrorActionPreference = 'Stop'

Copy-Item -Path (Join-Path $SourcePath '*') -Destination $DestinationPath -Recurse -Force
$count = (Get-ChildItem -Path $DestinationPath -Recurse -File | Measure-Object).Count
Write-Output "copied from $SourcePath, $DestinationPath now holds $count files"
