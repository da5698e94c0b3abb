/** How a command ends when it does not end with OK (RFC 9051 section 7.1). */

/** Thrown by a command that refuses; the connection writes the tagged response. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly status: 'NO' | 'BAD',
    /** Response code without brackets. */
    readonly code: string | undefined,
    text: string,
  ) {
    super(text);
  }
}

export function no(code: string | undefined, text: string): Refusal {
  return new Refusal('NO', code, text);
}

export function bad(text: string, code?: string): Refusal {
  return new Refusal('BAD', code, text);
}
