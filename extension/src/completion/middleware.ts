/** Stands between the editor's requests for ghost text and the server: asks only when the person wants to be asked for. */
import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';
import { readSettings } from '../settings/settings';
import { refusal, typesAtOnePlace } from './policy';
import type { Snooze } from './snooze';

/** The client's middleware for inline completions. An explicit request goes through while snoozed. */
export function completionMiddleware(snooze: Snooze): Middleware {
  return {
    provideInlineCompletionItems: (document, position, context, token, next) => {
      const snoozed = snooze.active && context.triggerKind === vscode.InlineCompletionTriggerKind.Automatic;
      if (refusal(readSettings(), document.languageId, snoozed) !== undefined) return undefined;
      return typesAtOnePlace(document) ? next(document, position, context, token) : undefined;
    },
  };
}
