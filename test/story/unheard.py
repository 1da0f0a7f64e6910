"""A relay whose kernel, for the first DEAF connections, takes SYN and ACK and drops what is sent then, as that of a server does whose queue is full: unheard.py DEAF HOST PORT.

Says on standard output which port it has, and then each connection it took; ends with its standard input, so with whoever started it. A socket filter sees a segment from its TCP header on: one with data is longer than that.
"""
import ctypes, os, socket, struct, sys, threading

deaf, target = int(sys.argv[1]), (sys.argv[2], int(sys.argv[3]))
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
FILTER = [(0x30, 0, 0, 12), (0x74, 0, 0, 4), (0x64, 0, 0, 2), (0x07, 0, 0, 0), (0x80, 0, 0, 0), (0x1c, 0, 0, 0), (0x15, 0, 1, 0), (0x06, 0, 0, 0xffffffff), (0x06, 0, 0, 0)]


def attach(listener):
    code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *line) for line in FILTER))
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack('HL', len(FILTER), ctypes.addressof(code)))


def relay(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def outlive_nobody():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=outlive_nobody, daemon=True).start()
listener = socket.create_server(('127.0.0.1', 0))
attach(listener)
print(listener.getsockname()[1], flush=True)
kept = []
while True:
    client, _ = listener.accept()
    print('taken', flush=True)
    kept.append(client)
    if len(kept) == deaf:
        listener.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
    if len(kept) > deaf:
        server = socket.create_connection(target)
        for pair in ((client, server), (server, client)):
            threading.Thread(target=relay, args=pair, daemon=True).start()
