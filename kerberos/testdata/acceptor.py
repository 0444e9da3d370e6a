# A GSS-API acceptor by MIT's library (Debian: python3-gssapi), to judge the initiator.
# In: tokens in hexadecimal, one a line. Out: lines of "token HEX", "done NAME", "plain SEALED HEX".
# Each wrapped token that comes after the handshake is answered by its text wrapped alike.
import sys
import gssapi

def say(*words):
    print(*words, flush=True)

context = gssapi.SecurityContext(creds=gssapi.Credentials(usage="accept"), usage="accept")
for line in sys.stdin:
    token = bytes.fromhex(line)
    if not context.complete:
        reply = context.step(token)
        say("token", (reply or b"").hex())
        if context.complete:
            say("done", context.initiator_name)
        continue
    message = context.unwrap(token)
    say("plain", message.encrypted, message.message.hex())
    say("token", context.wrap(message.message, message.encrypted).message.hex())
