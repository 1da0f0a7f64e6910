@echo off
rem Windows logon script: the program has the share while it runs, and mapping and
rem session are given back when the program and all it started are gone.
rem
rem It replaces the batch file of Q231795:
rem   net use X: \\server\app
rem   X:\app.exe
rem   net use X: /delete
rem which left the session on the server for 255 seconds more.
rem
rem Change the words of the nbtrun line: the share, the options, the program. Write a
rem percent sign as two. At a logon nobody can be asked for the password: add
rem --auth-file FILE, with lines "username = ..." and "password = ..." in a file that
rem only this user can read. --grace holds the session a few seconds longer.
rem
rem Exit code: that of the program; 75 the share is full; 125 nbtrun failed, and says why.
setlocal EnableExtensions DisableDelayedExpansion

set "found="
for %%n in (nbtrun.exe nbtrun.cmd) do if not "%%~$PATH:n" == "" set "found=1"
if defined found goto start
echo nbtrun is not installed or not in PATH>&2
exit /b 127

:start
rem No "call": it would double every caret. This script ends here, with nbtrun's exit code.
nbtrun --share "//server/app" --grace "5s" -- "app.exe"
