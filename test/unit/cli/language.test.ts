import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { suite, test } from 'node:test';

/** The terminal speaks the language that the environment names as POSIX has it. */
suite('the language of the terminal', () => {
  const flows = (environment: NodeJS.ProcessEnv): string =>
    execFileSync(process.execPath, ['dist/cli.js', 'flows'], {
      env: { PATH: process.env['PATH'] ?? '', ...environment },
      encoding: 'utf8',
    });

  for (const environment of [
    { LANG: 'zh_CN.UTF-8' },
    { LC_ALL: 'zh_CN', LANG: 'en_US.UTF-8' },
    { LC_MESSAGES: 'zh_Hans.UTF-8', LANG: 'C' },
  ])
    test(`is Chinese with ${JSON.stringify(environment)}`, () => assert.match(flows(environment), /\p{Script=Han}/u));

  for (const environment of [
    {},
    { LANG: 'C' },
    { LANG: 'en_US.UTF-8' },
    { LANG: 'zh_TW.UTF-8' },
    { LC_ALL: 'C', LANG: 'zh_CN.UTF-8' },
    { LANG: '../../etc' },
  ])
    test(`is English with ${JSON.stringify(environment)}`, () => assert.doesNotMatch(flows(environment), /\p{Script=Han}/u));
});
