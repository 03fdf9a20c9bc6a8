// Requests to this server, and their errors as messages for the user.

export class RequestError extends Error {
  constructor(message, { retryAfter = 0 } = {}) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

// Resolves to a response with status 2xx; rejects with a RequestError or an AbortError.
export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError("The server cannot be reached. Is it still running, and are you online?", { retryAfter: 5 });
  }
  if (response.ok) return response;
  throw await errorOf(response);
}

async function errorOf(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  try {
    const problem = await response.json();
    return new RequestError(problem.detail, { retryAfter });
  } catch {
    return new RequestError(`The server responded with ${response.status} ${response.statusText}.`, { retryAfter });
  }
}

let known;

// The model's version and the server's limits, requested once.
export function limits() {
  known ??= request("/v1/model").then((response) => response.json());
  // After an error the next call sends the request again.
  known.catch(() => { known = undefined; });
  return known;
}

export function megabytes(bytes) {
  return `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
}
