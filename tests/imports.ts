/** Which modules a source file asks for, in whatever way: found in the syntax tree, so that comments and strings do not count. */
import ts from 'typescript';

export interface Import {
  readonly specifier: string;
  /** From 1. */
  readonly line: number;
}

export function importsOf(fileName: string, text: string): Import[] {
  const file = ts.createSourceFile(fileName, text, ts.ScriptTarget.ESNext, true);
  const found: Import[] = [];

  function add(node: ts.Node | undefined): void {
    if (!node || !ts.isStringLiteralLike(node)) return;
    const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
    found.push({ specifier: node.text, line: line + 1 });
  }

  function visit(node: ts.Node): void {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    else if (ts.isExternalModuleReference(node)) add(node.expression);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node.argument.literal);
    else if (ts.isCallExpression(node) && asksForModule(node.expression)) add(node.arguments[0]);
    ts.forEachChild(node, visit);
  }

  visit(file);
  return found;
}

/** `import(x)`, `require(x)`, `require.resolve(x)`, `import.meta.resolve(x)`. */
function asksForModule(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  if (ts.isIdentifier(callee)) return callee.text === 'require';
  return (
    ts.isPropertyAccessExpression(callee) &&
    callee.name.text === 'resolve' &&
    ((ts.isIdentifier(callee.expression) && callee.expression.text === 'require') ||
      ts.isMetaProperty(callee.expression))
  );
}
