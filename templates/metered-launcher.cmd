@echo off
rem Launcher of a program whose licence counts connections to a share: a seat is taken
rem when the program starts and given back the moment it ends, not 15 minutes later. While
rem all are taken it waits in line for as long as --wait says.
rem
rem Change the words behind nbtrun: the share, the options, the program. Write a percent
rem sign as %%pc%%. The words given to this launcher go on to the program.
rem
rem Exit code: that of the program; 75 the share is full; 125 nbtrun failed, and says why.
setlocal EnableExtensions DisableDelayedExpansion

set "found="
for %%n in (nbtrun.exe nbtrun.cmd) do if not "%%~$PATH:n" == "" set "found=1"
if defined found goto start
echo nbtrun is not installed or not in PATH>&2
exit /b 127

:start
rem A cmd of its own: nbtrun may be a batch file, from which this one would not go on, and
rem "call" would double every caret. In it a percent sign comes out of this variable.
set "pc=%%"
cmd /d /v:off /c nbtrun --share "//server/cad" --wait "2m" -- "cad.exe" %*
set "code=%errorlevel%"
if not "%code%" == "75" exit /b %code%

rem 75: the server let nobody in any more. Said in the window, and in a box of its own.
echo All seats are taken. Please try again when a colleague has closed the program.>&2
set "say=(New-Object -ComObject WScript.Shell).Popup('All seats are taken. Please try again when a colleague has closed the program.')"
powershell -NoProfile -NonInteractive -Command "%say%" >nul 2>&1
exit /b 75
