"""Evaluates a line of Python at a time in the folder of the share, and says what came of it; of an OSError the name. Descriptors stay open in `d`."""
import os, sys, errno, fcntl, struct, threading, time, hashlib
os.chdir(os.environ['NBTRUN_MOUNT'])
d = {}
R, W, RW, C, X, T = os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_EXCL, os.O_TRUNC
def op(name, flags=R): d[name] = os.open(name, flags); return 'open'
def put(name, text, at=0): return os.pwrite(d[name], text.encode(), at)
def get(name, n=100, at=0): return os.pread(d[name], n, at).decode()
def lock(name, kind, start, n):
    fcntl.fcntl(d[name], fcntl.F_SETLK, struct.pack('hhqqi', kind, 0, start, n, 0)); return 'locked'
def read(name):
    with open(name) as f: return f.read()
def write(name, text):
    with open(name, 'w') as f: f.write(text)
    return 'written'
def together(n, work):
    out = [None] * n
    def one(i):
        try: out[i] = work(i)
        except OSError as x: out[i] = errno.errorcode[x.errno]
    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    [t.start() for t in threads]; [t.join() for t in threads]
    return out
print('ready', os.getpid(), flush=True)
for line in sys.stdin:
    try: said = eval(line)
    except OSError as x: said = errno.errorcode[x.errno]
    print(said, flush=True)
