import { BrokerError } from '@taskq/core';
import type { Applied, Fact } from '../facts.js';

/** One line for people, the same in every run of the same seed. */
export function lineOf(fact: Fact, ms: number): string {
  return `${ms.toFixed(2).padStart(10)} ${textOf(fact)}`;
}

function textOf(fact: Fact): string {
  switch (fact.kind) {
    case 'applied':
      return `${fact.by.padEnd(6)} ${fact.late ? 'LATE ' : ''}${callText(fact.call)}`;
    case 'received':
      return `${fact.by.padEnd(6)} received ${fact.deliveries.map(({ lane, entryId, delivery }) => `${lane} ${entryId} #${delivery}`).join(', ')}`;
    case 'asked':
      return `${fact.by.padEnd(6)} asks ${short(fact.ask)}`;
    case 'told':
      return `${fact.by.padEnd(6)} is told of ${fact.ask.number}: ${fact.answer instanceof Error ? errorText(fact.answer) : short(fact.answer)}`;
    case 'started':
      return `${fact.by.padEnd(6)} starts ${short(fact.start)}`;
    case 'ended':
      return `${fact.by.padEnd(6)} ends ${fact.start.id} fence ${fact.start.fence}: ${fact.how}`;
    case 'event':
      return `${fact.by.padEnd(6)} announces ${fact.name} ${short(fact.event)}`;
    case 'blow':
      return `------ ${fact.blow} ${fact.on} ${fact.detail}`;
    case 'journey':
      return `${fact.by.padEnd(6)} ${fact.verb}: ${fact.fate}`;
  }
}

function callText({ verb, request, answer, error }: Applied): string {
  return `${verb} ${short(request)} -> ${error ? errorText(error) : short(answer)}`;
}

function errorText(error: Error): string {
  return `${error.name}${error instanceof BrokerError ? ` ${error.reason}` : ''}: ${error.message}`;
}

/** Without what travels with a task: stacks are in there, which differ with where the program lies. */
function short(value: unknown): string {
  return (
    JSON.stringify(value, (key, member: unknown) => {
      if (HIDDEN.has(key)) return undefined;
      if (key === 'fields') return (member as readonly string[]).slice(0, 2);
      return member instanceof Error ? member.message : member;
    }) ?? ''
  );
}

const HIDDEN: ReadonlySet<string> = new Set(['stack', 'meta', 'replayMeta']);
