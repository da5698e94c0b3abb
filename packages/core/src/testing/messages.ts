/** A few small messages, complete and with CRLF, that between them have most of what structures can have. */

function message(text: string, encoding: 'utf8' | 'latin1' = 'utf8'): Uint8Array {
  return Uint8Array.from(Buffer.from(text.slice(1).replace(/\n/g, '\r\n'), encoding));
}

export const sampleMessages = {
  /** Seven-bit text without MIME. */
  plain: message(`
From: Alice <alice@example.com>
To: Bob <bob@example.com>
Subject: Lunch
Date: Thu, 1 Jan 2026 12:00:00 +0000
Message-ID: <lunch@example.com>

Shall we have lunch?
`),

  /** Text in ISO 8859-1, sent as it is, with an encoded word. */
  eightBit: message(
    `
From: =?iso-8859-1?Q?J=F6rg?= <joerg@example.com>
To: bob@example.com
Subject: =?UTF-8?B?R3LDvMOfZQ==?=
Date: Fri, 2 Jan 2026 08:30:00 +0100
Message-ID: <gruesse@example.com>
In-Reply-To: <lunch@example.com>
References: <lunch@example.com>
MIME-Version: 1.0
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: 8bit

Sch\u00f6ne Gr\u00fc\u00dfe
`,
    'latin1',
  ),

  /** multipart/mixed of multipart/alternative and an attachment. */
  multipart: message(`
From: Alice <alice@example.com>
To: Bob <bob@example.com>, carol@example.com
Cc: Dave <dave@example.com>
Subject: Re: Lunch
Date: Sat, 3 Jan 2026 09:00:00 -0500
Message-ID: <menu@example.com>
In-Reply-To: <lunch@example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary="inner part"

--inner part
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

The caf=C3=A9 has a new menu.
--inner part
Content-Type: text/html; charset=utf-8

<p>The <b>café</b> has a new menu.</p>
--inner part--

--outer
Content-Type: application/pdf; name="menu.pdf"
Content-Disposition: attachment; filename="menu.pdf"
Content-Transfer-Encoding: base64

JVBERi0xLjQKJSVFT0YK
--outer--
`),

  /** A message within a message. */
  nested: message(`
From: bob@example.com
To: alice@example.com
Subject: Fwd: Lunch
Date: Sun, 4 Jan 2026 10:00:00 +0000
Message-ID: <forward@example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: text/plain

See below.
--outer
Content-Type: message/rfc822

From: Alice <alice@example.com>
To: Bob <bob@example.com>
Subject: Lunch
Date: Thu, 1 Jan 2026 12:00:00 +0000
Message-ID: <lunch@example.com>

Shall we have lunch?

--outer--
`),
} as const;
