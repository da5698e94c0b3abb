/** What a server keeps instead of a password (RFC 5802 section 3): enough to check a proof, not enough to make one. */
export interface ScramCredentials {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}
