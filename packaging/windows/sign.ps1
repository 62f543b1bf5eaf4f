#Requires -Version 5.1
# Signs what is not signed yet in a folder made by packaging/build.py, and verifies all of it. README.md, beside this
# file, says why. Ends with 0, or with signtool's code after naming the file.
param(
    [string] $Bundle,
    # How signtool finds the certificate: '/sha1','THUMBPRINT' for one in the store (or on a token);
    # '/dlib','Azure.CodeSigning.Dlib.dll','/dmdf','metadata.json' for a signing service.
    [string[]] $Certificate,
    [string] $TimestampUrl = 'http://timestamp.digicert.com'
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Usage = 64
$NoInput = 66
$Unavailable = 69

function Stop-Signing([int] $Code, [string] $Message) {
    [Console]::Error.WriteLine("sign.ps1: $Message")
    exit $Code
}

function Invoke-Signtool([string] $File, [string] $Failure, [string[]] $Arguments) {
    & signtool.exe @Arguments $File
    if ($LASTEXITCODE -ne 0) { Stop-Signing $LASTEXITCODE "${File}: $Failure" }
}

if (-not $Bundle -or -not $Certificate) {
    Stop-Signing $Usage "usage: sign.ps1 BUNDLE -Certificate '/sha1','THUMBPRINT' [-TimestampUrl URL]"
}
if (-not (Test-Path -LiteralPath $Bundle -PathType Container)) {
    Stop-Signing $NoInput "$Bundle is not a folder: give the one that packaging/build.py has made."
}
if (-not (Get-Command signtool.exe -ErrorAction SilentlyContinue)) {
    Stop-Signing $Unavailable 'signtool.exe is not on PATH: install the Windows SDK, or open its command prompt.'
}

$Files = @(Get-ChildItem -LiteralPath $Bundle -Recurse -File |
    Where-Object { $_.Extension -in '.exe', '.dll', '.pyd' } | ForEach-Object FullName)
if ($Files.Count -eq 0) {
    Stop-Signing $NoInput "$Bundle has nothing to sign: give the folder that holds the executable."
}

# python3.dll and vcruntime140.dll come signed by those who answer for them: their signatures stay.
$Unsigned = @($Files | Where-Object { (Get-AuthenticodeSignature -LiteralPath $_).Status -ne 'Valid' })
$Sign = @('sign', '/fd', 'sha256', '/tr', $TimestampUrl, '/td', 'sha256') + $Certificate
foreach ($File in $Unsigned) { Invoke-Signtool $File 'it could not be signed' $Sign }

# /pa: the policy for programs, not for drivers. /tw: no timestamp is a failure, for then the signature ends with the
# certificate.
foreach ($File in $Files) { Invoke-Signtool $File 'its signature does not hold' @('verify', '/pa', '/tw') }
Write-Output "signed $($Unsigned.Count) and verified $($Files.Count) files: $Bundle"
