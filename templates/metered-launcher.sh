#!/bin/sh
# Launcher of a program whose licence counts connections to a share: a seat is taken
# when the program starts and given back the moment it ends, not 15 minutes later. While
# all are taken it waits in line for as long as --wait says.
#
# Change the words of the nbtrun line: the share, the options, the program. The words
# given to this launcher go on to the program. Put it where the menu entry points.
# --wait 10m waits for a seat, in line with the other launchers on this machine, and for
# a network that is not there yet; without it a full share is told at once.

command -v nbtrun >/dev/null 2>&1 || {
  echo "nbtrun is not installed or not in PATH" >&2
  exit 127
}

# Tells the user: on the desktop where there is one, else on the terminal.
tell() {
  if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && command -v zenity >/dev/null 2>&1; then
    zenity --info --no-markup --text="$1"
  elif [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && command -v notify-send >/dev/null 2>&1; then
    notify-send -- "$1"
  else
    printf '%s\n' "$1" >&2
  fi
}

nbtrun --share '//server/cad' --wait '10m' -- 'cad.exe' "$@"
status=$?

# 75: the server let nobody in, for as long as --wait says. Everything else is the
# program's own code.
if [ "$status" -eq 75 ]; then
  tell "All seats are taken. Please try again when a colleague has closed the program."
fi
exit "$status"
