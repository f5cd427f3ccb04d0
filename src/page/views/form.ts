// The write form: one POST /write, its answer beside it, and the curl line that does the same.
import type { WriteRequest, WriteResult } from '../../protocol/calls.js';
import { duration } from '../../protocol/format.js';
import { post, Refused } from '../api.js';
import { byId } from '../dom.js';
import { fromHex, quoted } from '../text.js';

type Body = Pick<WriteRequest, 'level' | 'msg' | 'target'> & Partial<Pick<WriteRequest, 'encoding' | 'timeoutMs'>>;

const base64 = (bytes: Uint8Array): string => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));

/** What would be sent; a text for people when it cannot be. */
function bodyOf(form: HTMLFormElement): Body | string {
  const field = new FormData(form);
  const text = `${field.get('msg')}`;
  const timeoutMs = Number(field.get('timeoutMs'));
  const wait = timeoutMs > 0 ? { timeoutMs } : {};
  const common = { level: field.get('level') as Body['level'], target: `${field.get('target')}` };
  // A form's line ends are CRLF, and those of the page's own text are not.
  if (field.get('as') === 'text') return { ...common, msg: text.replaceAll('\r\n', '\n'), ...wait };
  const bytes = fromHex(text);
  return bytes === null
    ? 'The message is not hex: pairs of 0-9 and a-f, such as 48 69 0a.'
    : { ...common, msg: base64(bytes), encoding: 'base64', ...wait };
}

function inWords(result: WriteResult): string {
  const { written, requested, error, calls, seq, durationNs } = result;
  const made = `record ${seq}, ${calls} ${calls === 1 ? 'call' : 'calls'}, ${duration(durationNs)}`;
  if (error) return `${error.code} (${error.errno}): ${error.message}. ${written} of ${requested} bytes; ${made}.`;
  return `${written} of ${requested} bytes; ${made}.`;
}

/**
 * @param needsToken whether the curl line must send a token
 * @returns what shows that line anew, when there is something else to choose from
 */
export function setUpForm(needsToken: () => boolean): () => void {
  const form = byId<HTMLFormElement>('write');
  const answer = byId('answer');
  const json = byId('answer-json');
  const curl = byId('curl');
  const copy = byId<HTMLButtonElement>('copy');

  function showCurl(): void {
    const body = bodyOf(form);
    const token = needsToken() ? ` -H "authorization: Bearer $SYSWIRE_TOKEN"` : '';
    curl.textContent =
      typeof body === 'string'
        ? body
        : `curl -s ${location.origin}/write -H 'content-type: application/json'${token} -d ${quoted(JSON.stringify(body))}`;
    copy.disabled = typeof body === 'string';
  }

  function show(text: string, isBad: boolean, whole: object | null): void {
    answer.textContent = text;
    answer.classList.toggle('bad', isBad);
    json.textContent = whole === null ? '' : JSON.stringify(whole, null, 2);
  }

  form.addEventListener('input', showCurl);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const body = bodyOf(form);
    if (typeof body === 'string') {
      show(body, true, null);
      return;
    }
    try {
      const result = await post<WriteResult>('/write', body);
      show(inWords(result), result.error !== null, result);
    } catch (error) {
      show(`No call was made: ${(error as Error).message}`, true, error instanceof Refused ? error.problem : null);
    }
  });
  copy.addEventListener('click', async () => {
    try {
      // Not there on a plain http address that is not this machine's.
      await navigator.clipboard.writeText(curl.textContent ?? '');
      copy.textContent = 'Copied';
    } catch {
      getSelection()?.selectAllChildren(curl);
      copy.textContent = 'Selected: copy it with Ctrl+C';
    }
    setTimeout(() => {
      copy.textContent = 'Copy';
    }, 3000);
  });
  return showCurl;
}
