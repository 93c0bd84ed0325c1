//! Random programs: what several callers ask of a ledger, batch after batch, while the clock moves and staff freeze and
//! bound wallets. What they name is mostly there: the model is asked for it.

use proptest::{prelude::*, sample::Index};

use super::{
    model::{Model, Stage},
    terms::{Coin, Deed, Id, Leg, Order, Part, Party, Status, Time, WALLETS, home, of_wallet},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Lists of several callers that are decided as one batch.
    Batch(Vec<Vec<Order>>),
    /// The clock moves on, or is set back.
    Wait(Time),
    /// Overdue holds of all accounts are ended.
    Sweep,
    Status(u8, Status),
    Bounds(u8, i64, Option<i64>),
    /// How much may come in, by the tier of the owner.
    Intake(u8, Option<i64>),
}

/// A turn before its orders have ids and what they name is known.
#[derive(Debug, Clone)]
enum Draft {
    Batch(Vec<Vec<Bunch>>),
    Other(Turn),
}

#[derive(Debug, Clone)]
enum Bunch {
    Alone(Wish),
    Group(Vec<Wish>),
    /// An earlier group once more, perhaps without its last member.
    GroupAgain(Index, bool),
}

#[derive(Debug, Clone)]
enum Wish {
    New(Deed),
    Capture(Index, Vec<Piece>, bool),
    CaptureAll(Index, Piece),
    Release(Index),
    Reverse(Index),
    Refund(Index, Vec<Piece>),
    /// An earlier order once more, or something else under its id.
    Again(Index),
    Clash(Deed, Index),
}

/// A part, in the currency of what is captured or refunded unless it is odd.
#[derive(Debug, Clone)]
struct Piece {
    wallet: u8,
    to_fee: bool,
    odd: bool,
    amount: i64,
}

pub(crate) fn program() -> impl Strategy<Value = Vec<Turn>> {
    (prop::bool::weighted(0.9), prop::collection::vec(draft(), 1..12)).prop_map(|(rich, drafts)| {
        let mut composer = Composer::new();
        let mut turns: Vec<Turn> = rich.then(|| composer.opening()).into_iter().collect();
        turns.extend(drafts.into_iter().map(|draft| composer.turn(draft)));
        turns
    })
}

fn draft() -> impl Strategy<Value = Draft> {
    let status = prop_oneof![
        4 => Just(Status::Active),
        1 => Just(Status::FrozenIn),
        1 => Just(Status::FrozenOut),
        1 => Just(Status::Frozen),
        1 => Just(Status::Closed),
    ];
    let ceiling = prop::option::of(prop_oneof![9 => 0..2_000_i64, 1 => 0..=i64::MAX]);
    let floor = prop_oneof![4 => Just(0), 4 => -500..100_i64, 1 => i64::MIN..0];
    let list = prop::collection::vec(bunch(), 1..6);
    prop_oneof![
        12 => prop::collection::vec(list, 1..3).prop_map(Draft::Batch),
        4 => (-40..80_i64).prop_map(|by| Draft::Other(Turn::Wait(by))),
        1 => Just(Draft::Other(Turn::Sweep)),
        2 => (0..WALLETS, status).prop_map(|(who, status)| Draft::Other(Turn::Status(who, status))),
        2 => (0..WALLETS, floor, ceiling)
            .prop_map(|(who, floor, ceiling)| Draft::Other(Turn::Bounds(who, floor, ceiling))),
        2 => (0..WALLETS, prop::option::of(0..2_000_i64))
            .prop_map(|(who, ceiling)| Draft::Other(Turn::Intake(who, ceiling))),
    ]
}

fn bunch() -> impl Strategy<Value = Bunch> {
    prop_oneof![
        8 => wish().prop_map(Bunch::Alone),
        2 => prop::collection::vec(wish(), 1..4).prop_map(Bunch::Group),
        1 => (any::<Index>(), any::<bool>()).prop_map(|(which, whole)| Bunch::GroupAgain(which, whole)),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    let which = any::<Index>;
    prop_oneof![
        2 => funding().prop_map(Wish::New),
        6 => moving().prop_map(Wish::New),
        5 => holding().prop_map(Wish::New),
        4 => (which(), pieces(), any::<bool>()).prop_map(|(which, to, rest)| Wish::Capture(which, to, rest)),
        2 => (which(), piece()).prop_map(|(which, to)| Wish::CaptureAll(which, to)),
        1 => which().prop_map(Wish::Release),
        2 => which().prop_map(Wish::Reverse),
        4 => (which(), pieces()).prop_map(|(which, from)| Wish::Refund(which, from)),
        1 => which().prop_map(Wish::Again),
        1 => (moving(), which()).prop_map(|(deed, which)| Wish::Clash(deed, which)),
    ]
}

fn coin() -> impl Strategy<Value = Coin> {
    prop_oneof![3 => Just(Coin::Ngn), 1 => Just(Coin::Usd)]
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![24 => 1..200_i64, 1 => 1..=i64::MAX, 1 => (0..3_i64).prop_map(|less| i64::MAX - less)]
}

/// Mostly somebody with this currency.
fn party(coin: Coin) -> impl Strategy<Value = Party> {
    let wallets = if coin == Coin::Ngn { 0..4 } else { 4..WALLETS };
    prop_oneof![
        20 => wallets.prop_map(Party::Wallet),
        3 => Just(Party::Fee),
        1 => Just(Party::Equity),
        1 => (0..=WALLETS).prop_map(Party::Wallet),
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    let odd = prop::bool::weighted(0.03);
    (0..WALLETS, any::<bool>(), odd, amount()).prop_map(|(wallet, to_fee, odd, amount)| Piece {
        wallet,
        to_fee,
        odd,
        amount,
    })
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    prop::collection::vec(piece(), 1..4)
}

fn funding() -> impl Strategy<Value = Deed> {
    let amount = prop_oneof![16 => 100..1_000_i64, 1 => amount()];
    (0..WALLETS, amount).prop_map(|(wallet, amount)| Deed::Move(vec![funds(wallet, amount)]))
}

fn funds(wallet: u8, amount: i64) -> Leg {
    let coin = home(wallet).unwrap_or(Coin::Ngn);
    Leg { from: Party::Equity, to: Party::Wallet(wallet), coin, amount }
}

/// Several legs, or an exchange: two legs that each balance in their own currency.
fn moving() -> impl Strategy<Value = Deed> {
    let exchange = (0..4_u8, 4..WALLETS, amount(), amount()).prop_map(|(payer, receiver, paid, got)| {
        vec![
            Leg { from: Party::Wallet(payer), to: Party::Position, coin: Coin::Ngn, amount: paid },
            Leg { from: Party::Position, to: Party::Wallet(receiver), coin: Coin::Usd, amount: got },
        ]
    });
    let several = prop::collection::vec(leg(), 1..4);
    let one_payer = prop::collection::vec(leg(), 1..4).prop_map(|legs| {
        let Leg { from, coin, .. } = legs[0];
        let payable = legs.into_iter().filter(|leg| leg.coin == coin && leg.to != from);
        payable.map(|leg| Leg { from, ..leg }).collect::<Vec<_>>()
    });
    prop_oneof![2 => several, 3 => one_payer, 1 => exchange].prop_map(Deed::Move)
}

fn leg() -> impl Strategy<Value = Leg> {
    coin().prop_flat_map(|coin| {
        (party(coin), party(coin), amount()).prop_map(move |(from, to, amount)| {
            let to = if from == to { elsewhere(from) } else { to };
            Leg { from, to, coin, amount }
        })
    })
}

/// No leg leads from an account to itself.
fn elsewhere(from: Party) -> Party {
    if from == Party::Fee { Party::Equity } else { Party::Fee }
}

/// `until` counts from now; some are over before they begin.
fn holding() -> impl Strategy<Value = Deed> {
    let amount = prop_oneof![19 => 1..400_i64, 1 => amount()];
    let until = prop_oneof![12 => 1..80_i64, 1 => -5..=0_i64];
    let who = prop_oneof![30 => 0..WALLETS, 1 => Just(WALLETS)];
    (who, prop::bool::weighted(0.03), amount, until).prop_map(|(who, odd, amount, until)| {
        let home = home(who).unwrap_or(Coin::Usd);
        let coin = if odd { other(home) } else { home };
        Deed::Hold { on: Part { party: Party::Wallet(who), coin, amount }, until }
    })
}

fn other(coin: Coin) -> Coin {
    if coin == Coin::Ngn { Coin::Usd } else { Coin::Ngn }
}

/// Gives ids, and finds what is named.
struct Composer {
    now: Time,
    model: Model,
    last: Id,
    orders: Vec<Order>,
    groups: Vec<Vec<Order>>,
}

/// Nobody has it.
const UNKNOWN: Id = 1_000_000;

impl Composer {
    fn new() -> Self {
        Self { now: 0, model: Model::new(), last: 0, orders: Vec::new(), groups: Vec::new() }
    }

    /// Everybody has money but one, and some of it is set aside.
    fn opening(&mut self) -> Turn {
        let given =
            (0..WALLETS).filter(|wallet| *wallet != 3).map(|wallet| Deed::Move(vec![funds(wallet, 1_000)]));
        let held = [0, 1, 4].map(|wallet| {
            let coin = home(wallet).unwrap_or(Coin::Ngn);
            Deed::Hold { on: Part { party: Party::Wallet(wallet), coin, amount: 300 }, until: 50 }
        });
        Turn::Batch(vec![given.chain(held).map(|deed| self.order(Wish::New(deed), None)).collect()])
    }

    fn turn(&mut self, draft: Draft) -> Turn {
        let turn = match draft {
            Draft::Batch(lists) => Turn::Batch(lists.into_iter().map(|bunches| self.list(bunches)).collect()),
            Draft::Other(turn) => turn,
        };
        match &turn {
            Turn::Batch(_) | Turn::Sweep => {}
            Turn::Wait(by) => self.now += by,
            Turn::Status(number, status) => self.model.set_status(of_wallet(*number), *status),
            Turn::Bounds(number, floor, ceiling) => {
                self.model.set_bounds(Time::MIN, of_wallet(*number), *floor, *ceiling);
            }
            Turn::Intake(number, ceiling) => self.model.set_intake(of_wallet(*number), *ceiling),
        }
        turn
    }

    fn list(&mut self, bunches: Vec<Bunch>) -> Vec<Order> {
        bunches.into_iter().flat_map(|bunch| self.bunch(bunch)).collect()
    }

    fn bunch(&mut self, bunch: Bunch) -> Vec<Order> {
        match bunch {
            Bunch::Alone(wish) => vec![self.order(wish, None)],
            Bunch::Group(wishes) => {
                let group = Id::try_from(self.groups.len()).ok();
                let members: Vec<Order> = wishes.into_iter().map(|wish| self.order(wish, group)).collect();
                self.groups.push(members.clone());
                members
            }
            Bunch::GroupAgain(_, _) if self.groups.is_empty() => Vec::new(),
            Bunch::GroupAgain(which, whole) => {
                let members = which.get(&self.groups);
                members[..members.len() - usize::from(!whole)].to_vec()
            }
        }
    }

    /// The model carries it out at once and alone, so that what comes next can name it. It need not come so.
    fn order(&mut self, wish: Wish, group: Option<Id>) -> Order {
        let (id, deed) = match wish {
            Wish::Again(which) if !self.orders.is_empty() => return which.get(&self.orders).clone(),
            Wish::Clash(deed, which) if !self.orders.is_empty() => (which.get(&self.orders).id, deed),
            wish => {
                self.last += 1;
                (self.last, self.deed(wish))
            }
        };
        let order = Order { id, deed, group };
        self.model.list(self.now, std::slice::from_ref(&order));
        self.orders.push(order.clone());
        order
    }

    fn deed(&self, wish: Wish) -> Deed {
        match wish {
            Wish::New(Deed::Hold { on, until }) => Deed::Hold { on, until: self.now + until },
            Wish::New(deed) | Wish::Clash(deed, _) => deed,
            Wish::Capture(which, to, release_rest) => {
                let (hold, coin) = self.hold(which);
                Deed::Capture { hold, to: parts(&to, coin), release_rest }
            }
            Wish::CaptureAll(which, to) => {
                let (hold, coin) = self.hold(which);
                let Part { party, coin, .. } = parts(&[to], coin)[0];
                Deed::CaptureAll { hold, to: party, coin }
            }
            Wish::Release(which) => Deed::Release { hold: self.hold(which).0 },
            Wish::Reverse(which) => Deed::Reverse { posting: self.posting(which).0 },
            Wish::Refund(which, from) => {
                let (posting, coin) = self.posting(which);
                Deed::Refund { posting, from: parts(&from, coin) }
            }
            Wish::Again(_) => Deed::Release { hold: UNKNOWN },
        }
    }

    /// Mostly an open one, and its currency.
    fn hold(&self, which: Index) -> (Id, Coin) {
        let holds: Vec<_> =
            self.model.holds.iter().map(|(id, hold)| (*id, hold.account.1, hold.stage)).collect();
        let open: Vec<_> = holds.iter().filter(|(.., stage)| *stage == Stage::Held).copied().collect();
        let from = if open.is_empty() || one_in(8, which) { holds } else { open };
        pick(which, &from).map_or((UNKNOWN, Coin::Ngn), |(id, coin, _)| (id, coin))
    }

    /// Mostly one that has moved money, and its currency.
    fn posting(&self, which: Index) -> (Id, Coin) {
        let moved =
            self.model.moved.iter().filter_map(|(id, moved)| Some((*id, moved.taken().keys().next()?.1)));
        let any = self.orders.iter().map(|order| (order.id, Coin::Ngn));
        let from: Vec<_> = if one_in(6, which) { any.collect() } else { moved.collect() };
        pick(which, &from).unwrap_or((UNKNOWN, Coin::Ngn))
    }
}

/// By the last digits, so to say: the first ones say which is picked.
fn one_in(many: usize, which: Index) -> bool {
    which.index(99_991).is_multiple_of(many)
}

fn pick<T: Copy>(which: Index, from: &[T]) -> Option<T> {
    (!from.is_empty()).then(|| *which.get(from))
}

fn parts(pieces: &[Piece], coin: Coin) -> Vec<Part> {
    let part = |piece: &Piece| {
        let wallet = if coin == Coin::Ngn { piece.wallet % 4 } else { 4 + piece.wallet % 2 };
        let party = if piece.to_fee { Party::Fee } else { Party::Wallet(wallet) };
        Part { party, coin: if piece.odd { other(coin) } else { coin }, amount: piece.amount }
    };
    pieces.iter().map(part).collect()
}
