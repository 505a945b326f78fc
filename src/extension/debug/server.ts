import { t } from '@vscode/l10n';
import { Event, Response } from '@vscode/debugadapter/lib/messages.js';
import { ProtocolServer } from '@vscode/debugadapter/lib/protocol.js';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { attributesOf, type Attributes } from './attributes';

/** What each request answers with: the response's body. What it throws becomes the error that the client shows. */
export type Requests = Readonly<Record<string, (args: Attributes) => unknown>>;

/**
 * The protocol's side of the debug adapter: requests are answered one after the other in the order in which they came, and events that
 * one brings about follow its response.
 */
export class RequestServer extends ProtocolServer {
  readonly #requests: Requests;
  #turn: Promise<void> = Promise.resolve();
  #held: DebugProtocol.Event[] | undefined;

  constructor(requests: Requests) {
    super();
    this.#requests = requests;
  }

  /** Sends an event, or holds it back until the request that is being answered has its response. */
  announce(event: string, body?: unknown): void {
    const message = new Event(event, body);
    if (this.#held) this.#held.push(message);
    else this.sendEvent(message);
  }

  /** Does something when all requests that have come are answered, before the next one is. */
  inTurn(task: () => Promise<void>): void {
    this.#turn = this.#turn.then(task);
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    this.#turn = this.#turn.then(() => this.#answer(request));
  }

  async #answer(request: DebugProtocol.Request): Promise<void> {
    const response: DebugProtocol.Response = new Response(request);
    const held: DebugProtocol.Event[] = (this.#held = []);
    try {
      const answer = Object.hasOwn(this.#requests, request.command) ? this.#requests[request.command] : undefined;
      if (answer === undefined) throw new Error(t('there is no request "{0}"', request.command.slice(0, 40)));
      response.body = await answer(attributesOf(request.arguments));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      response.success = false;
      response.message = message;
      response.body = { error: { id: 1, format: '{_message}', variables: { _message: message } } };
    }
    this.#held = undefined;
    this.sendResponse(response);
    for (const event of held) this.sendEvent(event);
  }
}
