/** What the status bar says, as a function of what there is to say. */
import * as vscode from 'vscode';
import type { StatsParams, StatusParams } from '../../../lsp-server/protocol';
import type { Phase } from '../client/session';
import type { Refusal } from '../completion/policy';

export interface Facts {
  phase: Phase;
  status: StatusParams | undefined;
  stats: StatsParams | undefined;
  /** Why completions are not offered in the active editor. */
  refusal: Refusal | undefined;
  /** Language id of the active editor. */
  language: string | undefined;
  explaining: boolean;
  /** A request has lasted long enough to say so. */
  busy: boolean;
}

export interface View {
  text: string;
  /** One sentence: the tooltip's first line, and what a screen reader says. */
  summary: string;
  severity: 'normal' | 'error';
}

export function viewOf(facts: Facts): View {
  return trouble(facts) ?? loading(facts) ?? quiet(facts) ?? working(facts);
}

function trouble({ phase, status }: Facts): View | undefined {
  if (phase === 'stopped')
    return error(vscode.l10n.t('The language server stopped too often. Restart it, or see the log.'));
  if (status?.state === 'error') return error(status.message ?? vscode.l10n.t('The model could not be loaded.'));
  return undefined;
}

function loading({ phase, status }: Facts): View | undefined {
  if (phase === 'waiting') return spinning('', vscode.l10n.t('The language server stopped and is being restarted.'));
  if (phase === 'starting' || (phase === 'running' && status === undefined)) {
    return spinning('', vscode.l10n.t('Starting the language server.'));
  }
  if (status?.state !== 'loading') return undefined;
  const percent = `${Math.floor((status.progress ?? 0) * 100)}%`;
  return spinning(percent, vscode.l10n.t('Loading the model: {0}', percent));
}

function quiet({ refusal, language }: Facts): View | undefined {
  switch (refusal) {
    case 'off':
      return normal('$(circle-slash) Monokernel', vscode.l10n.t('Completions are off.'));
    case 'language':
      return normal('$(circle-slash) Monokernel', vscode.l10n.t('Completions are off for {0} files.', language ?? ''));
    case 'snoozed':
      return normal('$(bell-slash) Monokernel', vscode.l10n.t('Completions are snoozed.'));
    case undefined:
      return undefined;
  }
}

function working({ phase, stats, explaining, busy }: Facts): View {
  const recent = stats === undefined || stats.recentRate === 0 ? undefined : formatRate(stats.recentRate);
  const rate = recent === undefined ? 'Monokernel' : `${recent} tok/s`;
  if (explaining) return spinning(rate, vscode.l10n.t('Explaining.'));
  if (busy) return spinning(rate, vscode.l10n.t('Completing.'));
  if (phase === 'idle') return normal('$(zap) Monokernel', vscode.l10n.t('Starts with the first file that is opened.'));
  const summary =
    recent === undefined
      ? vscode.l10n.t('Ready.')
      : vscode.l10n.t('Ready. The latest requests ran at {0} tokens/s.', recent);
  return normal(`$(zap) ${rate}`, summary);
}

function spinning(text: string, summary: string): View {
  return normal(`$(loading~spin) ${text === '' ? 'Monokernel' : text}`, summary);
}

function normal(text: string, summary: string): View {
  return { text, summary, severity: 'normal' };
}

function error(summary: string): View {
  return { text: '$(error) Monokernel', summary, severity: 'error' };
}

/** A rate in tokens/s with as many digits as mean something: 1,240 and 87 and 4.2. */
export function formatRate(rate: number): string {
  const digits = rate < 10 ? 1 : 0;
  return rate.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
