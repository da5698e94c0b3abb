/**
 * What clients are sending at this moment, by address. A store takes only so much that is not committed yet, from all
 * together: a stranger who begins a few large messages and stops in the middle would keep everybody's mail out.
 */
import { Refused, reply } from './reply.ts';

export interface Uploads {
  /** Counts the octets of one message. `remoteAddress` '': within the process, not counted. */
  begin(remoteAddress: string): Upload;
}

export interface Upload {
  /** @throws Refused if it becomes too much for the address */
  add(octets: number): void;
  /** The message is stored or thrown away. */
  end(): void;
}

const tooMuch = reply(451, '4.3.2', 'Your address sends too much at one time, try again later');

export function createUploads(maxOctets: number): Uploads {
  const underWay = new Map<string, number>();
  return {
    begin(remoteAddress) {
      if (remoteAddress === '') return { add() {}, end() {} };
      let own = 0;
      const count = (octets: number) => {
        own += octets;
        const all = (underWay.get(remoteAddress) ?? 0) + octets;
        if (all > 0) underWay.set(remoteAddress, all);
        else underWay.delete(remoteAddress);
        return all;
      };
      return {
        add(octets) {
          if (count(octets) > maxOctets) throw new Refused(tooMuch);
        },
        end() {
          count(-own);
        },
      };
    },
  };
}
