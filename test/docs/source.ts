import ts from 'typescript';
import { read } from './markdown.js';

// Documents also describe what the packages do not export. That is read from the source as it is written.

function statements(path: string): ts.NodeArray<ts.Statement> {
  return ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true).statements;
}

/** Value of a constant that is an object. */
export function objectConstant(path: string, name: string): ts.ObjectLiteralExpression {
  for (const statement of statements(path)) {
    if (!ts.isVariableStatement(statement)) continue;
    const found = statement.declarationList.declarations.find((one) => one.name.getText() === name);
    if (found?.initializer && ts.isObjectLiteralExpression(found.initializer)) return found.initializer;
  }
  throw new Error(`${path} has no object ${name}`);
}

/** Names of the members of an object constant. */
export function keysOfConstant(path: string, name: string): readonly string[] {
  return objectConstant(path, name).properties.map((property) => property.name!.getText());
}

/** The words of a type that is one of several. */
export function unionType(path: string, name: string): readonly string[] {
  for (const statement of statements(path)) {
    if (!ts.isTypeAliasDeclaration(statement) || statement.name.text !== name) continue;
    if (ts.isUnionTypeNode(statement.type)) {
      return statement.type.types.map((type) => type.getText().replaceAll("'", ''));
    }
  }
  throw new Error(`${path} has no union ${name}`);
}

/** Members of an interface, each with what its comment says after `@default`. */
export function interfaceMembers(path: string, name: string): ReadonlyMap<string, string | undefined> {
  for (const statement of statements(path)) {
    if (!ts.isInterfaceDeclaration(statement) || statement.name.text !== name) continue;
    return new Map(
      statement.members.map((member) => {
        const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'default');
        return [member.name!.getText(), ts.getTextOfJSDocComment(tag?.comment)?.trim()];
      }),
    );
  }
  throw new Error(`${path} has no interface ${name}`);
}
