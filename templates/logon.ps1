# PowerShell logon script: the program has the share while it runs, and mapping and
# session are given back when the program and all it started are gone.
#
# Change the words below: the share, the options, the program. Write a single quote as
# two. At a logon nobody can be asked for the password: add '--auth-file', 'FILE', with
# lines "username = ..." and "password = ..." in a file that only this user can read.
# --grace holds the session a few seconds longer.
#
# Exit code: that of the program; 75 the share is full; 125 nbtrun failed, and says why.

$words = '--share', '//server/app', '--grace', '5s', '--', 'app.exe'

$nbtrun = Get-Command nbtrun -ErrorAction SilentlyContinue | Select-Object -First 1
if (-not $nbtrun) {
  [Console]::Error.WriteLine('nbtrun is not installed or not in PATH')
  exit 127
}

# Before 7.3 PowerShell hands a program its words without quoting what is in them.
if ($PSVersionTable.PSVersion -lt [version]'7.3') {
  $words = $words | ForEach-Object {
    $word = $_ -replace '(\\*)"', '$1$1\"'
    if ($word -match '\s') { $word = $word -replace '(\\+)$', '$1$1' }
    if ($word -eq '') { '""' } else { $word }
  }
}

& $nbtrun @words
exit $LASTEXITCODE
