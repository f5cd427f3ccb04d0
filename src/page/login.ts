// Log in with the service's token, and log out.
import { post } from './api.js';
import { getById } from './dom.js';

export type Login = {
  /** Show the form instead of the page. */
  show: () => void;
  /** Show the page instead of the form. */
  hide: () => void;
  /** Show the log-out button, or hide it where the service needs no token. */
  offerLogout: (isOffered: boolean) => void;
};

/** @param onLogin called when the service has accepted the token */
export function setUpLogin(onLogin: () => Promise<void>): Login {
  const login = getById('login');
  const page = getById('page');
  const token = getById<HTMLInputElement>('token');
  const problem = getById('login-problem');
  const logout = getById('logout');

  getById<HTMLFormElement>('login-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    problem.textContent = '';
    try {
      await post('/login', { token: token.value });
      token.value = '';
      await onLogin();
    } catch (error) {
      problem.textContent = (error as Error).message;
      token.focus();
    }
  });

  logout.addEventListener('click', async () => {
    try {
      await post('/logout', {});
      location.reload();
    } catch (error) {
      getById('state').textContent = `Not logged out: ${(error as Error).message}`;
    }
  });

  return {
    show() {
      // A second refusal must not take the focus from a user who types.
      if (!login.hidden) return;
      [login.hidden, page.hidden] = [false, true];
      token.focus();
    },
    hide() {
      [login.hidden, page.hidden] = [true, false];
    },
    offerLogout(isOffered) {
      logout.hidden = !isOffered;
    },
  };
}
