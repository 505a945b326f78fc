import type { Browser } from 'playwright-core';
import { createCursor } from '../../src/engine/timeline';
import { comparisonView, stateComparisonView, type Pair } from '../../src/extension/comparisonView';
import { historyView } from '../../src/extension/stateViews';
import { outlineView, positionView, runView } from '../../src/extension/views';
import { compare } from '../../src/flows/compare';
import type { Session } from '../../src/flows/session';
import { parseToHost, type ToHost, type ToWebview } from '../../src/webview/protocol';
import { openWebview, type Webview, type WebviewOptions } from './harness';

/** A webview that shows a session as in VS Code: what it asks is answered by what the extension answers with. */
export interface RealWebview extends Webview {
  /** Shows the session's run and position. */
  show(): Promise<void>;
  /** Answers what was asked meanwhile, until nothing is asked any more. */
  settle(): Promise<void>;
}

/** Opens a view of a session, which must have a run. */
export async function openReal(browser: Browser, options: WebviewOptions, session: Session): Promise<RealWebview> {
  const webview = await openWebview(browser, options);
  let answered = 0;
  const settle = async (): Promise<void> => {
    // Whoever is asked may ask again: each answer is drawn first.
    while (answered < webview.sent.length) {
      const answer = answerTo(session, parseToHost(webview.sent[answered++]));
      if (answer !== undefined) await webview.tell(answer);
    }
  };
  return {
    ...webview,
    settle,
    async show() {
      const position = positionView(session);
      const { run } = session;
      if (run === undefined) throw new Error('the session has no run to show');
      await webview.tell(
        options.view === 'panel'
          ? { type: 'run', run: runView(run, session), position }
          : { type: 'outline', run: outlineView(run, session), position },
      );
      await settle();
    },
  };
}

function answerTo(session: Session, message: ToHost | { readonly type: 'malformed' }): ToWebview | undefined {
  switch (message.type) {
    case 'seek':
      session.seek(message.step);
      return { type: 'position', position: positionView(session) };
    case 'history': {
      const history = session.run && historyView(session.run, message.component, message.cell);
      return history && { type: 'history', history };
    }
    case 'compare': {
      const pair = pairOf(session);
      return { type: 'comparison', chosen: false, ...(pair ? { comparison: comparisonView(pair) } : {}) };
    }
    case 'compareState': {
      const pair = pairOf(session);
      return pair && { type: 'stateComparison', state: stateComparisonView(session, pair) };
    }
    case 'ready':
    case 'command':
    case 'revealStep':
    case 'setParameter':
    case 'inject':
    case 'edit':
    case 'malformed':
      return undefined;
  }
}

/** The session's run beside the one that it is a fork of. */
function pairOf({ run, base }: Session): Pair | undefined {
  if (run === undefined || base === undefined) return undefined;
  return { title: 'Original run', run: base.run, comparison: compare(run, base.run), cursor: createCursor(base.run) };
}
