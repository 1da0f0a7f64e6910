"""A second SMB server for the lab: impacket's. argv: address, folder, smb1|smb2; the password of alice is a line on stdin."""
import sys
from impacket import smbserver
from impacket.ntlm import compute_lmhash, compute_nthash

address, folder, dialect = sys.argv[1:4]
password = sys.stdin.readline().rstrip('\n')
server = smbserver.SimpleSMBServer(listenAddress=address, listenPort=445)
server.addShare('APP', folder, '')
server.setSMB2Support(dialect == 'smb2')
server.addCredential('alice', 0, compute_lmhash(password), compute_nthash(password))
server.setSMBChallenge('')
server.setLogFile('/dev/null')
print('ready', flush=True)
server.start()
