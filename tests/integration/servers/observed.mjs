// What every server here does alike: it prints each request, and its clock can be put forward by POST /clock?ahead=S.
// To be imported before anything that reads the clock.
const RealDate = globalThis.Date;
let ahead = 0;

globalThis.Date = class Date extends RealDate {
  constructor(...parts) {
    if (parts.length) super(...parts);
    else super(RealDate.now() + ahead);
  }

  static now() {
    return RealDate.now() + ahead;
  }
};

export function observed(request, response, next) {
  response.setHeader('date', new Date().toUTCString()); // node's own would tell the real time
  if (request.method === 'POST' && request.path === '/clock') {
    ahead = Number(request.query.ahead) * 1000;
    response.end();
    return;
  }
  const authorization = request.headers.authorization ? 'yes' : 'no';
  console.log(`request ${request.method} ${request.originalUrl} authorization=${authorization}`);
  next();
}
