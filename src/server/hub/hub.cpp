#include "server/hub/hub.hpp"

#include <algorithm>

#include "core/base/check.hpp"

namespace liminal::hub {

Counts& Counts::operator+=(const Counts& other) {
  published += other.published;
  delivered += other.delivered;
  dropped_slow += other.dropped_slow;
  dropped_busy += other.dropped_busy;
  channels += other.channels;
  members += other.members;
  subscriptions += other.subscriptions;
  waiting += other.waiting;
  dropped_forwards += other.dropped_forwards;
  return *this;
}

void Hub::join(Peer& peer) {
  auto member = std::make_unique<Member>();
  member->peer = &peer;
  LIMINAL_CHECK(members_.emplace(&peer, std::move(member)).second);
}

void Hub::leave(Peer& peer) {
  const auto found = members_.find(&peer);
  if (found == members_.end()) return;
  Member& member = *found->second;
  while (!member.subscriptions.empty()) leave_channel(member, member.subscriptions.size() - 1);
  members_.erase(found);
}

SharedPublication Hub::receive(Peer& peer, std::string_view message, EventTime now) {
  const auto found = members_.find(&peer);
  if (found == members_.end()) return nullptr;
  Member& member = *found->second;
  const RequestResult request = reader_.read(message);
  if (!request) {
    refuse(member, request.error());
    return nullptr;
  }
  switch (request->kind) {
    case Request::Kind::kSubscribe:
      subscribe(member, request->channel);
      return nullptr;
    case Request::Kind::kUnsubscribe:
      unsubscribe(member, request->channel);
      return nullptr;
    case Request::Kind::kPublish:
      return publish(member, *request, now);
    case Request::Kind::kPing:
      answer(member, pong());
      return nullptr;
  }
  return nullptr;
}

void Hub::answer(Member& member, const std::string& frame) {
  if (!member.peer->send(frame)) ++counts_.dropped_slow;
}

void Hub::refuse(Member& member, std::string_view why) {
  answer(member, error(why));
  member.peer->failed();
}

/// Subscribing again to a channel that one is in is answered like the first time.
void Hub::subscribe(Member& member, const std::string& name) {
  const auto is_it = [&](const Subscription& one) { return one.channel->name == name; };
  auto& mine = member.subscriptions;
  if (std::none_of(mine.begin(), mine.end(), is_it)) {
    if (mine.size() >= options_.member_channels_max)
      return refuse(member, "you are in too many channels");
    auto found = channels_.find(name);
    if (found == channels_.end()) {
      if (channels_.size() >= options_.channels_max)
        return answer(member, error("there are too many channels"));
      auto channel = std::make_unique<Channel>();
      channel->name = name;
      const std::string_view key = channel->name;
      found = channels_.emplace(key, std::move(channel)).first;
    }
    Channel& channel = *found->second;
    channel.seats.push_back({&member, mine.size(), channel.front + channel.backlog.size()});
    mine.push_back({&channel, channel.seats.size() - 1});
    ++subscriptions_;
  }
  answer(member, subscribed(name));
}

void Hub::unsubscribe(Member& member, std::string_view name) {
  auto& mine = member.subscriptions;
  const auto found = std::find_if(
      mine.begin(), mine.end(), [&](const Subscription& one) { return one.channel->name == name; });
  if (found == mine.end()) return refuse(member, "you are not in this channel");
  leave_channel(member, static_cast<std::size_t>(found - mine.begin()));
  answer(member, unsubscribed(name));
}

void Hub::leave_channel(Member& member, std::size_t subscription) {
  const Subscription left = member.subscriptions[subscription];
  free_seat(*left.channel, left.place);
  if (subscription + 1 != member.subscriptions.size()) {
    member.subscriptions[subscription] = member.subscriptions.back();
    const Subscription& moved = member.subscriptions[subscription];
    moved.channel->seats[moved.place].subscription = subscription;
  }
  member.subscriptions.pop_back();
  --subscriptions_;
  forget_if_empty(*left.channel);
}

/// Closes the gap without mixing those who have the front publication with those who wait for it:
/// nobody is served twice or passed over.
void Hub::free_seat(Channel& channel, std::size_t place) {
  if (place < channel.served) {
    --channel.served;
    move_seat(channel, channel.served, place);
    place = channel.served;
  }
  move_seat(channel, channel.seats.size() - 1, place);
  channel.seats.pop_back();
}

void Hub::move_seat(Channel& channel, std::size_t from, std::size_t to) {
  if (from == to) return;
  const Seat seat = channel.seats[from];
  channel.seats[to] = seat;
  seat.member->subscriptions[seat.subscription].place = to;
}

SharedPublication Hub::publish(Member& member, const Request& request, EventTime now) {
  auto publication = std::make_shared<Publication>();
  publication->channel = request.channel;
  publication->frame = message(request.channel, request.content, member.peer->user(), now);
  if (!enqueue(publication)) {
    answer(member, error("the channel is busy: the message was not delivered"));
    return nullptr;
  }
  ++counts_.published;
  return publication;
}

void Hub::accept(SharedPublication publication) { (void)enqueue(publication); }

bool Hub::enqueue(const SharedPublication& publication) {
  const auto found = channels_.find(publication->channel);
  if (found == channels_.end()) return true;  // nobody here to tell
  Channel& channel = *found->second;
  const std::size_t bytes = publication->frame.size();
  if (channel.backlog.size() >= options_.channel_backlog_max ||
      bytes > options_.backlog_bytes_max - backlog_bytes_) {
    ++counts_.dropped_busy;
    return false;
  }
  backlog_bytes_ += bytes;
  ++waiting_;
  channel.backlog.push_back(publication);
  if (!channel.busy) {
    channel.busy = true;
    busy_.push_back(&channel);
  }
  return true;
}

bool Hub::deliver(std::size_t deliveries_max) {
  while (deliveries_max > 0 && !busy_.empty()) {
    Channel& channel = *busy_.front();
    busy_.pop_front();
    channel.busy = false;
    deliveries_max -= serve(channel, std::min(deliveries_max, options_.slice_members));
    if (!channel.backlog.empty()) {
      channel.busy = true;
      busy_.push_back(&channel);
    } else {
      forget_if_empty(channel);
    }
  }
  return !busy_.empty();
}

/// Goes on with the channel's backlog; gives the number of deliveries, at least one so that whoever
/// calls comes to an end.
std::size_t Hub::serve(Channel& channel, std::size_t deliveries_max) {
  std::size_t count = 0;
  while (count < deliveries_max && !channel.backlog.empty()) {
    if (channel.served >= channel.seats.size()) {
      finish_front(channel);
      continue;
    }
    const Seat seat = channel.seats[channel.served++];
    ++count;
    if (channel.front < seat.from) continue;
    const bool sent = seat.member->peer->send(channel.backlog.front()->frame);
    ++(sent ? counts_.delivered : counts_.dropped_slow);
  }
  while (!channel.backlog.empty() && channel.served >= channel.seats.size()) finish_front(channel);
  return std::max<std::size_t>(count, 1);
}

void Hub::finish_front(Channel& channel) {
  backlog_bytes_ -= channel.backlog.front()->frame.size();
  channel.backlog.pop_front();
  ++channel.front;
  channel.served = 0;
  --waiting_;
}

/// A channel lives while it has members or is in the queue of the busy ones, which takes it out.
void Hub::forget_if_empty(Channel& channel) {
  if (!channel.seats.empty() || channel.busy) return;
  const std::string name = channel.name;  // the key points into what is erased
  channels_.erase(std::string_view(name));
}

Counts Hub::counts() const {
  Counts now = counts_;
  now.channels = channels_.size();
  now.members = members_.size();
  now.subscriptions = subscriptions_;
  now.waiting = waiting_;
  return now;
}

}  // namespace liminal::hub
