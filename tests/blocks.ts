/** Code blocks of Markdown pages, and programs made of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface CodeBlock {
  /** What stands after the opening fence: 'ts', 'sh', 'text'. */
  readonly language: string;
  readonly code: string;
  /** Of its first line of code, from 1. */
  readonly line: number;
}

export interface Page {
  /** Relative to the repository. */
  readonly path: string;
  readonly blocks: readonly CodeBlock[];
}

/** README.md, CONTRIBUTING.md, the docs and the pages beside examples and packages. */
export function pagesOf(root: string): Page[] {
  const files = ['README.md', 'CONTRIBUTING.md'].map((name) => join(root, name));
  for (const folder of ['docs', 'examples', 'packages'])
    files.push(...pagesBelow(join(root, folder)));
  return files.map((file) => ({
    path: relative(root, file),
    blocks: blocksOf(readFileSync(file, 'utf8')),
  }));
}

function pagesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return ['node_modules', 'dist', 'fixtures', 'data'].includes(entry.name)
        ? []
        : pagesBelow(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** Fenced blocks only (CommonMark section 4.5), at the margin. */
export function blocksOf(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { language: string; line: number; code: string[] } | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    if (!text.startsWith('```')) open?.code.push(text);
    else if (!open) open = { language: text.slice(3).trim(), line: index + 2, code: [] };
    else {
      blocks.push({ ...open, code: open.code.join('\n') });
      open = undefined;
    }
  }
  if (open) throw new Error(`a code block that begins before line ${open.line} does not end`);
  return blocks;
}

/**
 * All blocks of one language as one program, each on the lines where the page has it, so that an error names the line
 * of the page. A page is one program: later blocks use what earlier ones made.
 */
export function programOf(page: Page, language: string): string | undefined {
  const lines: string[] = [];
  for (const block of page.blocks) {
    if (block.language !== language) continue;
    while (lines.length < block.line - 1) lines.push('');
    lines.push(...block.code.split('\n'));
  }
  return lines.length > 0 ? `${lines.join('\n')}\n` : undefined;
}
