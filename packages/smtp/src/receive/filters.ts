/** Runs filters, stage by stage, and keeps the books: what they tagged, and what they remember. */
import { createHash } from 'node:crypto';
import type {
  Clock,
  Filter,
  FilterRecords,
  FilterWorld,
  Log,
  MailStore,
  Resolver,
  Verdict,
} from '@mail-server-kit/core';
import { ourFault, refusal, type Reply } from './reply.ts';

/** The `tag` verdict without its kind. */
export type Tags = Omit<Extract<Verdict, { kind: 'tag' }>, 'kind'>;

export interface StageResult {
  /** The client's answer, if it is refused. */
  readonly refused: Reply | undefined;
  readonly discard: boolean;
  readonly tags: readonly Tags[];
}

type Stage = 'connect' | 'helo' | 'mail' | 'rcpt' | 'message' | 'deliver';
type At<S extends Stage> = Parameters<NonNullable<Filter[S]>>[0];

export interface FilterRunner {
  has(stage: Stage): boolean;
  stage<S extends Stage>(stage: S, at: At<S>): Promise<StageResult>;
}

export interface FilterRunnerOptions {
  readonly filters: readonly Filter[];
  readonly store: MailStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly resolver: Resolver | undefined;
}

/**
 * Complete header fields. A filter quotes what strangers wrote: a line break in it would end the header, or smuggle a
 * field into it.
 */
const fields = /^(?:[!-9;-~]+:[^\r\n\0]*\r\n(?:[ \t][^\r\n\0]*\r\n)*)+$/;

export function createFilterRunner({
  filters,
  store,
  clock,
  log,
  resolver,
}: FilterRunnerOptions): FilterRunner {
  const worlds = new Map(
    filters.map((filter): [Filter, FilterWorld] => [
      filter,
      { clock, records: recordsOf(filter.name, store), ...(resolver && { resolver }) },
    ]),
  );

  return {
    has: (stage) => filters.some((filter) => filter[stage] !== undefined),

    async stage(stage, at) {
      const tags: Tags[] = [];
      for (const filter of filters) {
        if (filter[stage] === undefined) continue;
        let verdict: Verdict;
        try {
          verdict = await ask(filter, stage, at, worlds.get(filter) as FilterWorld);
        } catch (error) {
          // A broken filter must neither lose mail nor let it through unseen: the client comes again.
          log({
            level: 'error',
            service: 'smtp',
            event: 'filter failed',
            filter: filter.name,
            stage,
            error,
          });
          return { refused: ourFault, discard: false, tags };
        }
        switch (verdict.kind) {
          case 'proceed':
            break;
          case 'tag': {
            const { kind: _, ...tag } = verdict;
            if (tag.headers?.every((header) => fields.test(header)) === false) {
              log({
                level: 'error',
                service: 'smtp',
                event: 'filter failed',
                filter: filter.name,
                stage,
                header: tag.headers,
              });
              return { refused: ourFault, discard: false, tags };
            }
            tags.push(tag);
            break;
          }
          case 'accept':
            return { refused: undefined, discard: false, tags };
          case 'discard':
            return { refused: undefined, discard: true, tags };
          case 'reject':
          case 'defer':
            return { refused: refusal(verdict), discard: false, tags };
        }
      }
      return { refused: undefined, discard: false, tags };
    },
  };
}

function ask<S extends Stage>(
  filter: Filter,
  stage: S,
  at: At<S>,
  world: FilterWorld,
): Verdict | Promise<Verdict> {
  const method = filter[stage] as (
    this: Filter,
    at: At<S>,
    world: FilterWorld,
  ) => Verdict | Promise<Verdict>;
  return method.call(filter, at, world);
}

/** Each filter has a space of its own in the store. */
function recordsOf(name: string, store: MailStore): FilterRecords {
  const space = `filter/${name}`;
  return {
    async get<Value>(key: string) {
      const record = await store.record(space, shortKey(key));
      return record === undefined
        ? undefined
        : (JSON.parse(Buffer.from(record.value).toString()) as Value);
    },
    async put(key, value, { expires } = {}) {
      const octets = Buffer.from(JSON.stringify(value));
      await store.commit([
        {
          op: 'putRecord',
          space,
          key: shortKey(key),
          value: octets,
          ...(expires !== undefined && { expires }),
        },
      ]);
    },
  };
}

/** Stores take 200 octets; two long addresses are more. */
function shortKey(key: string): string {
  if (Buffer.byteLength(key) <= 200 && key !== '') return key;
  return `sha256 ${createHash('sha256').update(key).digest('hex')}`;
}
