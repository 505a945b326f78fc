import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { chromium, type Browser } from 'playwright-core';
import { NODE_MODULES } from './paths';

interface Executable {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a Chromium that reaches nothing but this machine. */
export async function startBrowser(): Promise<Browser> {
  const executable = findBrowser();
  return chromium.launch({
    executablePath: executable.path,
    env: { ...(process.env as Record<string, string>), ...executable.env },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      // Whatever VS Code asks of the outside fails at once instead of hanging.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
    ],
  });
}

/** CHROME_PATH, the one that npm brought (Linux on x64), one of the system or one that Playwright installed. */
function findBrowser(): Executable {
  const given = process.env['CHROME_PATH'];
  if (given) return { path: given, env: {} };
  if (process.platform === 'linux' && process.arch === 'x64') return packagedBrowser();
  const usual = [
    '/usr/bin/chromium',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    'C:/Program Files/Google/Chrome/Application/chrome.exe',
    chromium.executablePath(),
  ];
  const found = usual.find((candidate) => existsSync(candidate));
  if (!found) throw new Error('no Chromium found: set CHROME_PATH to one');
  return { path: found, env: {} };
}

/** Unpacks @sparticuz/chromium once, into a cache that `npm ci` clears. */
function packagedBrowser(): Executable {
  const cache = path.join(NODE_MODULES, '.cache');
  const folder = path.join(cache, 'chromium');
  if (!existsSync(folder)) {
    mkdirSync(cache, { recursive: true });
    const unfinished = mkdtempSync(path.join(cache, 'unpacking-'));
    unpackBrowser(path.join(NODE_MODULES, '@sparticuz/chromium/bin'), unfinished);
    if (existsSync(folder)) rmSync(unfinished, { recursive: true });
    else renameSync(unfinished, folder);
  }
  const libraries = [process.env['LD_LIBRARY_PATH'], path.join(folder, 'lib')].filter(Boolean).join(':');
  const fonts: Record<string, string> = existsSync('/etc/fonts/fonts.conf') ? {} : { FONTCONFIG_PATH: folder };
  return { path: path.join(folder, 'chromium'), env: { LD_LIBRARY_PATH: libraries, ...fonts } };
}

function unpackBrowser(packed: string, folder: string): void {
  for (const name of ['al2023', 'fonts', 'swiftshader']) {
    execFileSync('tar', ['x', '-C', folder], { input: brotliDecompressSync(readFileSync(path.join(packed, `${name}.tar.br`))) });
  }
  writeFileSync(path.join(folder, 'chromium'), brotliDecompressSync(readFileSync(path.join(packed, 'chromium.br'))), { mode: 0o755 });
}
