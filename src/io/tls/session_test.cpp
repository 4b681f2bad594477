#include "io/tls/session.hpp"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <random>

#include "io/tls/test_certificates.hpp"

namespace liminal::tls {
namespace {

using State = Progress::State;

/// Two ends of a connection on one thread.
class TlsSession : public ::testing::Test {
 protected:
  TlsSession() {
    files.server("server", "DNS:chat.example,IP:127.0.0.1");
    open_sockets();
  }
  ~TlsSession() override {
    for (const int fd : sockets) close_end(fd);
  }

  static void close_end(int fd) {
    if (fd >= 0) ::close(fd);
  }
  void open_sockets() {
    for (const int fd : sockets) close_end(fd);
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets.data()), 0);
  }
  void begin(const std::string& host = "chat.example", const std::string& name = "server") {
    accept(name);
    const auto context = Context::client(files.authority());
    ASSERT_TRUE(context);
    client = Session::connect(**context, sockets[1], host);
    ASSERT_TRUE(client);
  }
  void accept(const std::string& name = "server") {
    const auto context = Context::server(files.certificate(name), files.key(name));
    ASSERT_TRUE(context) << context.error();
    server = Session::accept(**context, sockets[0]);
    ASSERT_TRUE(server);
  }
  /// Both ends take turns until both are through or one fails.
  void greet() {
    for (int turn = 0; turn < 20; ++turn) {
      client_state = client->greet().state;
      server_state = server->greet().state;
      if (client_state == State::kFailed || server_state == State::kFailed) return;
      if (client_state == State::kDone && server_state == State::kDone) return;
    }
  }
  void begin_and_greet() {
    begin();
    greet();
    ASSERT_EQ(client_state, State::kDone) << client->problem();
    ASSERT_EQ(server_state, State::kDone) << server->problem();
  }
  static std::string read_all(Session& from) {
    std::string all;
    std::vector<char> buffer(64 * 1024);
    for (;;) {
      const Progress got = from.read(buffer);
      if (got.state != State::kDone) return all;
      all.append(buffer.data(), got.bytes);
    }
  }

  testing::TestCertificates files;
  std::array<int, 2> sockets{-1, -1};
  std::unique_ptr<Session> server, client;
  State client_state{}, server_state{};
};

TEST_F(TlsSession, PassesBytesBothWays) {
  begin_and_greet();
  EXPECT_EQ(client->write("hello").bytes, 5u);
  EXPECT_EQ(read_all(*server), "hello");
  EXPECT_EQ(server->write("welcome").bytes, 7u);
  EXPECT_EQ(read_all(*client), "welcome");
}

TEST_F(TlsSession, WhatDoesNotGoIsOfferedAgainFromElsewhereWithMoreBehindIt) {
  begin_and_greet();
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same bytes each time
  std::string all(4 << 20, '\0');
  for (char& byte : all) byte = static_cast<char>(random());
  std::string received;
  std::size_t sent = 0, blocked = 0;
  for (std::size_t offered = 100'000; sent < all.size();) {
    // A copy of its own: another place in memory each time.
    const std::string piece = all.substr(sent, offered - sent);
    const Progress progress = client->write(piece);
    ASSERT_NE(progress.state, State::kFailed) << client->problem();
    sent += progress.bytes;
    if (progress.bytes < piece.size()) {
      ++blocked;
      received += read_all(*server);
    }
    offered = std::min(all.size(), offered + random() % 200'000);
  }
  received += read_all(*server);
  EXPECT_TRUE(received == all);
  EXPECT_GT(blocked, 0u);
}

TEST_F(TlsSession, KeepsNoWholeRecordBack) {
  begin_and_greet();
  const std::string record(Session::kRecordBytes, 'x');
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client->write(record).bytes, record.size());
  std::vector<char> room(2 * Session::kRecordBytes);
  EXPECT_EQ(server->read(room).bytes, room.size());
  // The third is still the socket's, whose readiness therefore tells of it.
  std::array<char, 1> peeked{};
  EXPECT_EQ(::recv(sockets[0], peeked.data(), 1, MSG_PEEK), 1);
  EXPECT_EQ(server->read(room).bytes, record.size());
  EXPECT_EQ(server->read(room).state, State::kBlocked);
}

TEST_F(TlsSession, AnEndIsAnEndWithAndWithoutANotice) {
  begin_and_greet();
  EXPECT_EQ(client->write("last").bytes, 4u);
  client->finish_writing();
  std::vector<char> room(Session::kRecordBytes);
  EXPECT_EQ(server->read(room).bytes, 4u);
  EXPECT_EQ(server->read(room).state, State::kEnd);
  EXPECT_EQ(server->read(room).state, State::kEnd);
  EXPECT_EQ(server->write("still").bytes, 5u) << "one side's end is not the other's";
  EXPECT_EQ(read_all(*client), "still");
  ::shutdown(sockets[0], SHUT_WR);
  EXPECT_EQ(client->read(room).state, State::kEnd);
}

TEST_F(TlsSession, AWriteToAPeerThatIsGoneFailsForGoodAndRaisesNoSignal) {
  begin_and_greet();
  ::close(std::exchange(sockets[1], -1));
  EXPECT_EQ(server->write("x").state, State::kFailed);
  EXPECT_EQ(server->write("x").state, State::kFailed);
  std::vector<char> room(Session::kRecordBytes);
  EXPECT_EQ(server->read(room).state, State::kFailed);
  EXPECT_FALSE(server->problem().empty());
}

TEST_F(TlsSession, APeerThatVanishesWhileItGreetsIsAFailure) {
  begin();
  EXPECT_EQ(client->greet().state, State::kBlocked);
  EXPECT_EQ(server->greet().state, State::kBlocked);
  ::close(std::exchange(sockets[1], -1));
  EXPECT_EQ(server->greet().state, State::kFailed);
  EXPECT_EQ(server->greet().state, State::kFailed);
}

TEST_F(TlsSession, BytesThatAreNoTlsAreAFailure) {
  accept();
  const std::string_view plain = "GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n";
  ASSERT_EQ(::send(sockets[1], plain.data(), plain.size(), 0), static_cast<ssize_t>(plain.size()));
  EXPECT_EQ(server->greet().state, State::kFailed);
  EXPECT_EQ(server->problem(), "http request");
}

TEST_F(TlsSession, BelievesACertificateOfItsHostOnly) {
  begin("other.example");
  greet();
  EXPECT_EQ(client_state, State::kFailed);
  EXPECT_EQ(client->problem(), "hostname mismatch");
}

TEST_F(TlsSession, AnAddressIsAHostToo) {
  begin("127.0.0.1");
  greet();
  EXPECT_EQ(client_state, State::kDone);
  open_sockets();
  begin("127.0.0.2");
  greet();
  EXPECT_EQ(client->problem(), "IP address mismatch");
}

TEST_F(TlsSession, RefusesAnExpiredAndAnUnknownCertificate) {
  files.server("expired", "DNS:chat.example", {.valid_from_s = -7200, .valid_until_s = -3600});
  begin("chat.example", "expired");
  greet();
  EXPECT_EQ(client->problem(), "certificate has expired");
  open_sockets();
  files.server("stranger", "DNS:chat.example", {.self_signed = true});
  begin("chat.example", "stranger");
  greet();
  EXPECT_EQ(client->problem(), "self-signed certificate");
}

TEST_F(TlsSession, SpeaksNothingOlderThanTls12) {
  accept();
  SSL_CTX* const old = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_security_level(old, 0);
  ASSERT_EQ(SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION), 1);
  SSL* const ssl = SSL_new(old);
  SSL_set_fd(ssl, sockets[1]);
  EXPECT_LE(SSL_connect(ssl), 0);
  EXPECT_EQ(server->greet().state, State::kFailed);
  EXPECT_EQ(server->problem(), "unsupported protocol");
  SSL_free(ssl);
  SSL_CTX_free(old);
}

TEST_F(TlsSession, AgreesOnHttp11AndOnNothingElse) {
  for (const auto& [offer, good] : {std::pair{std::string("\x02h2\x08http/1.1"), true},
                                    std::pair{std::string("\x02h2"), false}}) {
    accept();
    SSL_CTX* const other = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_alpn_protos(other,
                            reinterpret_cast<const unsigned char*>(offer.data()),
                            static_cast<unsigned>(offer.size()));
    SSL* const ssl = SSL_new(other);
    SSL_set_fd(ssl, sockets[1]);
    State state = State::kBlocked;
    for (int turn = 0; turn < 20 && state == State::kBlocked; ++turn) {
      (void)SSL_connect(ssl);
      state = server->greet().state;
    }
    EXPECT_EQ(state == State::kDone, good) << server->problem();
    const unsigned char* chosen = nullptr;
    unsigned bytes = 0;
    SSL_get0_alpn_selected(ssl, &chosen, &bytes);
    EXPECT_EQ(bytes, good ? 8u : 0u);
    SSL_free(ssl);
    SSL_CTX_free(other);
    open_sockets();
  }
}

}  // namespace
}  // namespace liminal::tls
