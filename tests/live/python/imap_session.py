"""Works through a session with imaplib, once over STARTTLS and once over implicit TLS."""
import imaplib
import ssl
import sys
import time

ca, starttls, implicit = sys.argv[1], *map(int, sys.argv[2:])
context = ssl.create_default_context(cafile=ca)
BODY = "From: a@example.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nviele Gr\u00fc\u00dfe\r\n".encode()


def ok(answer, *expected):
    kind, data = answer
    assert kind == "OK", answer
    if expected:
        assert data == list(expected), data
    return data


def session(client, box):
    ok(client.create(box))
    ok(client.subscribe(box))
    # A time with a zone has to come back as it was given.
    ok(client.append(box, r"(\Seen custom)", '"24-Nov-2026 10:00:00 +0100"', BODY))
    ok(client.append(box, None, imaplib.Time2Internaldate(time.time()), b"Subject: two\r\n\r\nx\r\n"))
    ok(client.select(box), b"2")
    ok(client.search(None, "SEEN"), b"1")
    client.literal = "gr\u00fc\u00dfe".encode()
    ok(client.search("UTF-8", "SUBJECT"), b"1")
    ok(client.uid("SEARCH", "UNSEEN"), b"2")
    (found,) = [part for part in ok(client.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[])")) if isinstance(part, tuple)]
    assert found[1] == BODY, found
    assert b'"24-Nov-2026 10:00:00 +0100"' in found[0], found
    assert set(imaplib.ParseFlags(found[0])) == {b"\\Seen", b"custom", b"\\Recent"}, found
    ok(client.store("2", "+FLAGS", r"(\Flagged)"), rb"2 (FLAGS (\Flagged \Recent))")
    ok(client.copy("1:2", "Archive"))
    ok(client.store("1", "+FLAGS.SILENT", r"(\Deleted)"))
    ok(client.expunge(), b"1")
    ok(client.noop())
    ok(client.status(box, "(MESSAGES UNSEEN)"), f"{box} (MESSAGES 1 UNSEEN 1)".encode())
    ok(client.examine("Archive") if hasattr(client, "examine") else client.select("Archive", readonly=True))
    ok(client.close())
    ok(client.rename(box, f"{box}-2"))
    names = b"\n".join(ok(client.list()))
    assert f"{box}-2".encode() in names, names
    ok(client.delete(f"{box}-2"))
    client.logout()


client = imaplib.IMAP4("localhost", starttls)
client.starttls(context)
try:
    client.login("user@example.test", "wrong")
    raise AssertionError("a wrong password was taken")
except imaplib.IMAP4.error:
    pass
client.login("user@example.test", "secret")
session(client, "plain")
print("starttls")

client = imaplib.IMAP4_SSL("localhost", implicit, ssl_context=context)
ok(client.authenticate("PLAIN", lambda _: b"\0user@example.test\0secret"))
session(client, "tls")
print("implicit")
