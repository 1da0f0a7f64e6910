#!/bin/sh
# Login script: the program has the share while it runs, and the server has its
# session back when the program and all it started are gone.
#
# The batch file of Q231795 did this with net use, the program and net use /delete;
# that gave the drive letter back and left the session on the server for 255 s more.
#
# Change the words of the nbtrun line: the share, the options, the program. At a login
# without a terminal nobody can be asked for the password: add --auth-file FILE, with
# lines "username = ..." and "password = ..." in a file that only you can read.
# --grace holds the session a few seconds, for a program that is started again at once.
#
# Exit code: that of the program; 75 the share is full; 125 nbtrun failed, and says why.

command -v nbtrun >/dev/null 2>&1 || {
  echo "nbtrun is not installed or not in PATH" >&2
  exit 127
}

exec nbtrun --share '//server/app' --grace '5s' -- 'app'
