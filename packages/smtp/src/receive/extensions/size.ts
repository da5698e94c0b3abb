/** SIZE (RFC 1870): the client declares how large the message is, so that it is refused before it is sent. */
import { tooBig } from '../pass.ts';
import { badArgument, type Extension } from '../verb.ts';

export const size: Extension = {
  keyword: 'SIZE',
  announce: ({ settings }) => `SIZE ${settings.maxMessageOctets}`,
  mail: {
    SIZE(value, envelope, { settings }) {
      if (value === undefined || !/^[0-9]{1,20}$/.test(value))
        return badArgument('SIZE is 1 to 20 digits');
      const octets = Number(value);
      if (octets > settings.maxMessageOctets) return tooBig(settings.maxMessageOctets);
      envelope.size = octets;
      return undefined;
    },
  },
};
