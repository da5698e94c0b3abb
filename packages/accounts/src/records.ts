/**
 * What is kept in the store, as JSON. None of it is charged to the account it is about (`account` of putRecord), so that a
 * password can be changed in a full mailbox; removing the account deletes it in the same commit.
 *
 * | space     | key                   | value           |
 * |-----------|-----------------------|-----------------|
 * | `domain`  | domain                | DomainRecord    |
 * | `address` | domain `/` local part | AddressRecord   |
 * | `account` | account id            | AccountRecord   |
 * | `login`   | account id            | LoginRecord     |
 * | `secret`  | `scram`               | 32 octets       |
 */
import { createHash } from 'node:crypto';
import type {
  AccountId,
  Address,
  MailStore,
  Protocol,
  ScramCredentials,
} from '@mail-server-kit/core';

export interface DomainRecord {
  readonly domain: string;
  /** Address of the account that gets mail for postmaster and abuse. */
  readonly postmaster?: string;
  /** Where mail goes for which there is no address. */
  readonly catchAll?: readonly string[];
}

/** An address of ours: an account's own, or an alias. Targets are addresses, so whoever has them next gets the mail. */
export type AddressRecord =
  | { readonly address: string; readonly account: AccountId }
  | { readonly address: string; readonly alias: readonly string[] };

export interface AccountRecord {
  readonly address: string;
  readonly protocols: readonly Protocol[];
  /** Milliseconds since 1970. */
  readonly created: number;
}

export interface LoginRecord {
  /** PHC string, argon2id. */
  readonly hash: string;
  readonly scram?: {
    readonly iterations: number;
    /** Base64. */
    readonly salt: string;
    readonly storedKey: string;
    readonly serverKey: string;
  };
  /** Milliseconds since 1970. */
  readonly changed: number;
}

interface Spaces {
  domain: DomainRecord;
  address: AddressRecord;
  account: AccountRecord;
  login: LoginRecord;
}

export interface Found<Value> {
  readonly value: Value;
  readonly version: number;
}

/** Undefined: there is none. */
export async function read<Space extends keyof Spaces>(
  store: MailStore,
  space: Space,
  key: string,
): Promise<Found<Spaces[Space]> | undefined> {
  const record = await store.record(space, key);
  return record && { value: decode<Spaces[Space]>(record.value), version: record.version };
}

export function decode<Value>(octets: Uint8Array): Value {
  return JSON.parse(
    Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString(),
  ) as Value;
}

export function put<Space extends keyof Spaces>(space: Space, key: string, value: Spaces[Space]) {
  return { op: 'putRecord', space, key, value: Buffer.from(JSON.stringify(value)) } as const;
}

/** Keys of the store have at most 200 octets. */
export function domainKey(domain: string): string {
  return bounded(domain, 120);
}

/** Sorted by domain: all keys of a domain lie between `domain/` and `domain0`. */
export function keyOf({ localPart, domain }: Address): string {
  return `${domainKey(domain)}/${bounded(localPart.toLowerCase().normalize('NFC'), 72)}`;
}

export function rangeOf(domain: string): { from: string; to: string } {
  const key = domainKey(domain);
  return { from: `${key}/`, to: `${key}0` };
}

/** What is too long is hashed, in capitals, which no folded name has. */
function bounded(text: string, octets: number): string {
  if (Buffer.byteLength(text) <= octets) return text;
  return createHash('sha256').update(text).digest('hex').toUpperCase();
}

export function printScram({ iterations, salt, storedKey, serverKey }: ScramCredentials) {
  const base64 = (octets: Uint8Array) => Buffer.from(octets).toString('base64');
  return {
    iterations,
    salt: base64(salt),
    storedKey: base64(storedKey),
    serverKey: base64(serverKey),
  };
}

export function parseScram(printed: NonNullable<LoginRecord['scram']>): ScramCredentials {
  const octets = (text: string) => Buffer.from(text, 'base64');
  return {
    iterations: printed.iterations,
    salt: octets(printed.salt),
    storedKey: octets(printed.storedKey),
    serverKey: octets(printed.serverKey),
  };
}
