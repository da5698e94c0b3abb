/** 8BITMIME (RFC 6152). Octets are stored as they come, whatever was declared. BINARYMIME (RFC 3030) is not offered. */
import { badArgument, type Extension } from '../verb.ts';

export const eightBitMime: Extension = {
  keyword: '8BITMIME',
  announce: () => '8BITMIME',
  mail: {
    BODY(value, envelope) {
      const body = value?.toUpperCase();
      if (body !== '7BIT' && body !== '8BITMIME') return badArgument('BODY is 7BIT or 8BITMIME');
      envelope.body = body;
      return undefined;
    },
  },
};
