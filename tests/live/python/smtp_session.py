"""Delivers one message each by MX, LMTP, submission and submissions; prints the name of each way that worked."""
import smtplib
import ssl
import sys

ca, mx, lmtp, submission, submissions = sys.argv[1], *map(int, sys.argv[2:])
context = ssl.create_default_context(cafile=ca)
USER = "user@example.test"


def message(subject):
    return f"From: {USER}\r\nTo: {USER}\r\nSubject: {subject}\r\n\r\n.a line with a dot\r\n"


def send(way, client, starttls, login):
    with client:
        client.ehlo_or_helo_if_needed()
        if starttls:
            client.starttls(context=context)
        if login:
            client.login(USER, "secret")
        refused = client.sendmail(USER, [USER, "nobody@example.test"], message(way))
        assert list(refused) == ["nobody@example.test"], refused
        assert refused["nobody@example.test"][0] == 550, refused
    print(way)


send("mx", smtplib.SMTP("localhost", mx), starttls=True, login=False)
send("lmtp", smtplib.LMTP("localhost", lmtp), starttls=False, login=False)
send("submission", smtplib.SMTP("localhost", submission), starttls=True, login=True)
send("submissions", smtplib.SMTP_SSL("localhost", submissions, context=context), starttls=False, login=True)
