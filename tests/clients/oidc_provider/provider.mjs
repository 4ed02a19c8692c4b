// An OpenID provider that nobody here wrote: oidc-provider, certified by the OpenID Foundation, with one client.
// Its own development pages ask for a name, which becomes the subject, and for consent.
import { Provider } from "oidc-provider";

const { port, client } = JSON.parse(process.argv[2]);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client],
  cookies: { keys: ["a key for tests alone"] },
  claims: { email: ["email"], profile: ["name"] },
  findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id, name: "Somebody" }) }),
});
provider.listen(port, "127.0.0.1");
