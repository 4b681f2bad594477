#include "server/player/crowd.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace liminal::player {
namespace {

std::uint64_t key_of(const traffic::Event& event) {
  return event.connection == 0 ? event.user.hash : mix64(event.user.hash ^ mix64(event.connection));
}

/// Whether a text can stand in a header field.
bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
}

}  // namespace

Crowd::Crowd(epoll::Loop& loop, Target target, const Options& options)
    : loop_(loop), target_(std::move(target)), options_(options), random_(options.seed) {}

Crowd::~Crowd() = default;

Client* Crowd::find_or_connect(const traffic::Event& event) {
  const std::uint64_t key = key_of(event);
  if (const auto found = clients_.find(key); found != clients_.end()) return found->second.get();
  if (clients_.size() + leaving_.size() >= options_.connections_max ||
      !is_field_value(event.user.text) || !is_field_value(event.address.text))
    return nullptr;
  std::array<wire::Field, 2> fields{
      {{"X-User-Id", event.user.text}, {"X-Forwarded-For", event.address.text}}};
  auto client = std::make_unique<Client>(loop_, *this, random_.bits());
  client->key = key;
  ++counts_.connections;
  if (!client->start(target_, {fields.data(), event.address.empty() ? 1U : 2U})) {
    ++counts_.unreachable;
    return nullptr;
  }
  return clients_.emplace(key, std::move(client)).first->second.get();
}

void Crowd::connect(const traffic::Event& event) {
  if (find_or_connect(event) == nullptr) ++counts_.unsent;
}

void Crowd::say(const traffic::Event& event, std::string_view text) {
  Client* const client = find_or_connect(event);
  if (client == nullptr || !client->send(text))
    ++counts_.unsent;
  else
    ++(client->state() == Client::State::kOpen ? counts_.sent : client->waiting);
}

void Crowd::leave(const traffic::Event& event) {
  const auto found = clients_.find(key_of(event));
  if (found == clients_.end()) return;
  Client* const client = found->second.get();
  leaving_.emplace(client, std::move(found->second));
  clients_.erase(found);
  client->close();
}

void Crowd::leave_all() {
  // Goodbyes end nothing at once but may, one day: not while the map is walked.
  std::vector<Client*> all;
  for (auto& entry : clients_) {
    all.push_back(entry.second.get());
    leaving_.emplace(entry.second.get(), std::move(entry.second));
  }
  clients_.clear();
  for (Client* const client : all) client->close();
}

void Crowd::opened(Client& client) {
  ++counts_.opened;
  counts_.sent += std::exchange(client.waiting, 0);
}

void Crowd::received(Client&, const wire::Message&) { ++counts_.received; }

void Crowd::closed(Client& client) {
  counts_.unsent += client.waiting;
  switch (client.why()) {
    case Client::End::kUnreachable:
      ++counts_.unreachable;
      break;
    case Client::End::kRefused:
      ++counts_.refused[client.status()];
      break;
    case Client::End::kClosed:
      if (leaving_.count(&client) == 0)
        ++counts_.closed_codes[static_cast<std::uint16_t>(client.close_code())];
      break;
    default:
      if (!client.problem().empty()) counts_.problem = client.problem();
      ++counts_.broken;
  }
  std::unique_ptr<Client> gone;
  if (const auto left = leaving_.find(&client); left != leaving_.end()) {
    gone = std::move(left->second);
    leaving_.erase(left);
  } else if (const auto found = clients_.find(client.key); found != clients_.end()) {
    gone = std::move(found->second);
    clients_.erase(found);
  }
  if (gone) loop_.retire(std::move(gone));
}

}  // namespace liminal::player
