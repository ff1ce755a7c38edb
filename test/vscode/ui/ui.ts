import type { Outcome } from '../host/suite';
export function runUi(): Promise<Outcome> {
  return Promise.reject(new Error('not yet'));
}
