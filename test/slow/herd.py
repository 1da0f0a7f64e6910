"""Starts many runs at once and says what became of each: herd.py TOTAL AT_ONCE WORD..., where {n} in a word is the run's number.

One line of JSON a run: its number, exit code (or minus the signal), CPU time of it and all it waited for in s, its greatest resident memory in KiB, and how long
it took in s. wait4(2) gives these without another process in between.
"""
import json, os, sys, time

total, at_once, words = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
running = {}
started = 0
while started < total or running:
    while started < total and len(running) < at_once:
        argv = [word.replace('{n}', str(started)) for word in words]
        pid = os.posix_spawnp(argv[0], argv, os.environ)
        running[pid] = (started, time.monotonic())
        started += 1
    pid, status, usage = os.wait4(-1, 0)
    if pid not in running:
        continue
    number, began = running.pop(pid)
    print(json.dumps({'n': number, 'code': os.waitstatus_to_exitcode(status), 'cpu': usage.ru_utime + usage.ru_stime, 'kib': usage.ru_maxrss,
                      's': time.monotonic() - began}), flush=True)
