#!/bin/sh
# The program of the fault matrix: $1 what it does first (busy, idle), $2 how it differs (none, deaf, daemon), $3 where it writes. 3: all went well; 7: the share failed it.
exec 2>/dev/null
first=$1 variant=$2 folder=$3
[ "$variant" != deaf ] || trap "" TERM
exec 8>>"$folder/log" || exit 7
if [ "$variant" = daemon ]; then
  setsid sh -c '[ "$1" = idle ] || echo line >&8; sleep 1; echo last >&8' sh "$first" </dev/null >/dev/null &
  exit 3
fi
[ "$first" = idle ] || echo line >&8 || exit 7
echo ready
read -r word
while [ "$variant" = deaf ]; do
  [ "$first" = idle ] || echo line >&8
  sleep 0.05
done
echo last >&8 || exit 7
exit 3
