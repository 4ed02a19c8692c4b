// oidc-provider as its README starts it, with one app. Its own pages for developers ask for a name, then for a consent.
import Provider from "oidc-provider";

const [port] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "bench",
      client_secret: "bench-secret-of-thirty-two-letters",
      redirect_uris: ["http://localhost:5000/callback"],
      token_endpoint_auth_method: "client_secret_post",
    },
  ],
  claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: "Ada Lovelace", email: "ada@example.com", email_verified: true }),
  }),
});
provider.listen(Number(port), "127.0.0.1");
