/** Watches the header of a message go by: how many hops it made, which fields a submission still lacks, and whether it is one. */

/** What is longer is not looked at: no honest message has its Date behind it. */
const MAX_HEADER = 256 * 1024;

const watched = ['received', 'date', 'message-id', 'from'] as const;
type Watched = (typeof watched)[number];

export class HeaderWatch {
  readonly count: Record<Watched, number> = { received: 0, date: 0, 'message-id': 0, from: 0 };
  /** Fields of any name. */
  fields = 0;
  /** Lines that came before the header was over; the empty one that ends it is none of them. */
  lines = 0;
  #rest: Buffer | undefined;
  #seen = 0;
  #over = false;

  get over(): boolean {
    return this.#over;
  }

  /** Takes octets with CRLF line ends. */
  feed(chunk: Buffer): void {
    if (this.#over) return;
    const octets = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let from = 0;
    for (;;) {
      const end = octets.indexOf(0x0a, from);
      if (end < 0) break;
      if (end - from <= 1) {
        // An empty line, CRLF.
        this.#stop();
        return;
      }
      this.#line(octets, from, end);
      from = end + 1;
    }
    this.#seen += chunk.length;
    // A line longer than a name can be is remembered by its start only.
    const rest = octets.subarray(from);
    this.#rest = rest.length > 128 ? Buffer.from(rest.subarray(0, 128)) : rest;
    if (this.#seen > MAX_HEADER) this.#stop();
  }

  #line(octets: Buffer, from: number, end: number): void {
    this.lines++;
    const first = octets[from];
    if (first === 0x20 || first === 0x09) return;
    if (isField(octets, from, end)) this.fields++;
    const name = octets.toString('latin1', from, Math.min(end, from + 16)).toLowerCase();
    for (const field of watched) {
      if (!name.startsWith(field)) continue;
      // White space before the colon is obsolete, but valid (RFC 5322 section 4.5).
      let at = from + field.length;
      while (octets[at] === 0x20 || octets[at] === 0x09) at++;
      if (octets[at] === 0x3a) this.count[field]++;
    }
  }

  /** Over, or at the end of the message: there is text, and no field in front of it. */
  get isMissing(): boolean {
    return this.fields === 0 && (this.lines > 0 || this.#seen > MAX_HEADER);
  }

  #stop(): void {
    this.#over = true;
    this.#rest = undefined;
  }
}

/** `field-name *WSP ":"` (RFC 5322 sections 2.2 and 4.5). */
function isField(octets: Buffer, from: number, end: number): boolean {
  let at = from;
  while (at < end && isNameOctet(octets[at] as number)) at++;
  const isNamed = at > from;
  while (octets[at] === 0x20 || octets[at] === 0x09) at++;
  return isNamed && octets[at] === 0x3a;
}

const isNameOctet = (octet: number) => octet > 0x20 && octet < 0x7f && octet !== 0x3a;
