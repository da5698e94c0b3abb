/**
 * That the simulation can fail: disks that break their promise are found out soon. Defects of the store itself were tried by
 * hand, one at a time, with the first seed that found each: no sync before a commit is acknowledged, 1; an end neither written
 * again nor cleared at a start, 4; a commit shown after it was acknowledged, 4; every second id forgotten, 1; every end taken for
 * a proper one, 7; what vanished forgotten without saying so, 3; uids given again after the last was expunged, 1. Not found
 * within 50 seeds: a compaction that leaves out folds.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import type { DiskFile } from '@mail-server-kit/core';
import type { FakeDisk } from '@mail-server-kit/core/testing';
import type { Machine } from './machine.ts';
import { simulate } from './simulate.ts';

/** The disk with some calls of its files done otherwise. */
function changeFiles(machine: Machine, change: (file: DiskFile) => Partial<DiskFile>): void {
  const open = machine.disk.open.bind(machine.disk);
  machine.disk.open = (name, mode) => {
    const file = open(name, mode);
    return { ...file, ...change(file) };
  };
}

const defects: readonly (readonly [name: string, prepare: (machine: Machine) => void])[] = [
  ['does not sync', (machine) => changeFiles(machine, () => ({ sync: () => {} }))],
  [
    'keeps a failed sync to itself',
    (machine) =>
      changeFiles(machine, (file) => ({
        sync: () => {
          try {
            file.sync();
          } catch {
            // Nobody hears of it.
          }
        },
      })),
  ],
  [
    'forgets names',
    (machine) => {
      const { disk }: { disk: FakeDisk } = machine;
      disk.syncDirectory = () => {};
    },
  ],
];

describe('a disk that', () => {
  for (const [name, prepare] of defects) {
    it(`${name} is found out`, async () => {
      for (let seed = 1; seed <= 60; seed++) {
        try {
          await simulate(seed, { prepare });
        } catch (error) {
          assert.match(String(error), /^Difference: seed \d+: /);
          return;
        }
      }
      assert.fail('60 seeds found nothing');
    });
  }
});
