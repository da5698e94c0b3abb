/** ENHANCEDSTATUSCODES (RFC 2034): every reply but greetings and 3yz begins with a code of RFC 3463 (reply.ts). */
import type { Extension } from '../verb.ts';

export const enhancedStatusCodes: Extension = {
  keyword: 'ENHANCEDSTATUSCODES',
  announce: () => 'ENHANCEDSTATUSCODES',
};
