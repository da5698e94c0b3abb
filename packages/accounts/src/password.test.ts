import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { verify } from '@node-rs/argon2';
import { makeScramCredentials } from '@mail-server-kit/core';
import { it } from 'vitest';
import { cheap } from './cheap.fixture.ts';
import { createPasswords } from './password.ts';

const random = { bytes: (count: number) => randomBytes(count) };

it('without options hashes with argon2id, 19 MiB, 2 passes, 1 lane, and with 65,536 iterations for SCRAM', async () => {
  const passwords = createPasswords({}, random);
  const { hash, scram } = await passwords.make('', 'correct horse');
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.equal(await passwords.check(hash, 'correct horse'), true);
  assert.equal(await passwords.check(hash, 'correct horsf'), false);
  assert.equal(scram?.iterations, 65_536);
  assert.deepEqual(await makeScramCredentials('correct horse', scram), scram);
});

it('a hash of nobody is computed like any other and matches nothing', async () => {
  const passwords = createPasswords(cheap, random);
  const { hash } = await passwords.make('', 'x');
  const parameters = (phc: string) => phc.split('$').slice(0, 4);
  assert.deepEqual(parameters(passwords.dummy), parameters(hash));
  assert.equal(passwords.dummy.length, hash.length);
  for (const password of ['', 'x', passwords.dummy]) {
    assert.equal(await verify(passwords.dummy, password), false);
  }
});

it('two hashes of one password have nothing in common', async () => {
  const passwords = createPasswords(cheap, random);
  const [a, b] = [await passwords.make('', 'x'), await passwords.make('', 'x')];
  assert.notEqual(a.hash, b.hash);
  assert.notDeepEqual(a.scram?.salt, b.scram?.salt);
});
