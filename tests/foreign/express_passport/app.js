// A login with GitHub, in the style of Passport's documentation.
const express = require("express");
const passport = require("passport");
const session = require("express-session");
const GitHubStrategy = require("passport-github2").Strategy;

passport.use(
  new GitHubStrategy(
    {
      clientID: process.env.GITHUB_CLIENT_ID,
      clientSecret: process.env.GITHUB_CLIENT_SECRET,
      callbackURL: "/auth/github/callback",
      authorizationURL: process.env.GITHUB_URL + "/login/oauth/authorize",
      tokenURL: process.env.GITHUB_URL + "/login/oauth/access_token",
      userProfileURL: process.env.GITHUB_API_URL + "/user",
      userEmailURL: process.env.GITHUB_API_URL + "/user/emails",
      scope: ["user:email"],
      state: true,
    },
    (accessToken, refreshToken, profile, done) => done(null, { id: profile.id, username: profile.username }),
  ),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const app = express();
app.set("view engine", "ejs");
app.use(session({ secret: "keyboard cat", resave: false, saveUninitialized: false }));
app.use(passport.authenticate("session"));

app.get("/", (req, res) => res.render("home", { user: req.user }));

app.get("/auth/github", passport.authenticate("github"));

app.get("/auth/github/callback", passport.authenticate("github", { failureRedirect: "/" }), (req, res) => {
  res.redirect("/");
});

app.post("/logout", (req, res, next) => {
  req.logout((err) => {
    if (err) return next(err);
    res.redirect("/");
  });
});

app.listen(process.env.PORT, "127.0.0.1");
