/** HTML to text, by a library that never runs anything of it. */
import { compile, type HtmlToTextOptions } from 'html-to-text';

const options: HtmlToTextOptions = {
  wordwrap: false,
  // A mail of 100,000 nested tables must not cost more than its octets.
  limits: { maxInputLength: 1 << 20, maxDepth: 100, maxBaseElements: 1, maxChildNodes: 100_000 },
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    { selector: 'img', format: 'skip' },
    { selector: 'style', format: 'skip' },
    { selector: 'script', format: 'skip' },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({
      selector,
      options: { uppercase: false },
    })),
    { selector: 'table', format: 'block' },
  ],
};

// Compiling the selectors takes longer than most mails do.
const convert = compile(options);

/** What a reader sees, as plain text. Input that is cut off is fine. Slow (about 10 MB a second): hand in bounded text. */
export const htmlToText = (html: string): string => convert(html);
