//! The ledger once more, as plain as can be, to compare the real one with.
//!
//! Numbers are 128-bit. What is held is no number of its own: it is the sum of the open holds. Whatever may be refused is
//! tried on a copy of everything, which is thrown away. Nothing here knows the code that it is compared with.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::terms::{Account, Code, Coin, Deed, Id, Order, Part, Party, Status, Time, WALLETS, home, the};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Balance {
    pub posted: i128,
    pub status: Status,
    pub floor: Option<i128>,
    pub ceiling: Option<i128>,
    /// Of what comes in. What goes back passes it.
    pub intake: Option<i128>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Held,
    Captured,
    Released,
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub account: Account,
    pub amount: i128,
    pub captured: i128,
    pub until: Time,
    pub stage: Stage,
}

impl Hold {
    fn left(&self) -> i128 {
        self.amount - self.captured
    }
}

/// Takes (`amount` below zero) or gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    account: Account,
    amount: i128,
}

/// A posting that moved money.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    steps: Rc<[Step]>,
    is_return: bool,
    pub refunded: i128,
    pub reversed: bool,
}

impl Moved {
    /// What it took from each account.
    pub(crate) fn taken(&self) -> BTreeMap<Account, i128> {
        let mut taken = BTreeMap::new();
        for step in self.steps.iter().filter(|step| step.amount < 0) {
            *taken.entry(step.account).or_default() -= step.amount;
        }
        taken
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub refused: Option<Code>,
    /// It was decided before.
    pub again: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    pub balances: BTreeMap<Account, Balance>,
    pub holds: BTreeMap<Id, Hold>,
    pub moved: BTreeMap<Id, Moved>,
    decided: BTreeMap<Id, (Rc<Order>, Option<Code>)>,
}

impl Model {
    pub(crate) fn new() -> Self {
        let balance =
            |floor| Balance { posted: 0, status: Status::Active, floor, ceiling: None, intake: None };
        let wallets = (0..WALLETS).filter_map(|wallet| Some((Party::Wallet(wallet), home(wallet)?)));
        let mut balances: BTreeMap<_, _> = wallets.map(|account| (account, balance(Some(0)))).collect();
        for coin in [Coin::Ngn, Coin::Usd] {
            balances.insert((Party::Equity, coin), balance(None));
            balances.insert((Party::Position, coin), balance(None));
            balances.insert((Party::Fee, coin), balance(Some(0)));
        }
        Self { balances, holds: BTreeMap::new(), moved: BTreeMap::new(), decided: BTreeMap::new() }
    }

    pub(crate) fn held(&self, account: Account) -> i128 {
        let open = |hold: &&Hold| hold.account == account && hold.stage == Stage::Held;
        self.holds.values().filter(open).map(Hold::left).sum()
    }

    /// Ends the overdue holds of some accounts, or of all.
    pub(crate) fn expire(&mut self, now: Time, accounts: Option<&BTreeSet<Account>>) {
        for hold in self.holds.values_mut() {
            let looked_at = accounts.is_none_or(|accounts| accounts.contains(&hold.account));
            if looked_at && hold.stage == Stage::Held && hold.until <= now {
                hold.stage = Stage::Expired;
            }
        }
    }

    /// Freezes, thaws or closes, if that may be.
    pub(crate) fn set_status(&mut self, account: Account, status: Status) {
        let held = self.held(account);
        let Some(balance) = self.balances.get_mut(&account) else { return };
        let empty = balance.posted == 0 && held == 0;
        if balance.status != Status::Closed && (status != Status::Closed || empty) {
            balance.status = status;
        }
    }

    /// Bounds the account, if it is within the bounds once its overdue holds have ended.
    pub(crate) fn set_bounds(&mut self, now: Time, account: Account, floor: i64, ceiling: Option<i64>) {
        let lasting = |hold: &&Hold| hold.account == account && hold.stage == Stage::Held && hold.until > now;
        let held: i128 = self.holds.values().filter(lasting).map(Hold::left).sum();
        let (floor, ceiling) = (i128::from(floor), ceiling.map(i128::from));
        let Some(balance) = self.balances.get_mut(&account) else { return };
        if balance.posted - held >= floor && ceiling.is_none_or(|ceiling| balance.posted <= ceiling) {
            (balance.floor, balance.ceiling) = (Some(floor), ceiling);
            self.expire(now, Some(&BTreeSet::from([account])));
        }
    }

    /// Whatever the account holds.
    pub(crate) fn set_intake(&mut self, account: Account, ceiling: Option<i64>) {
        if let Some(balance) = self.balances.get_mut(&account) {
            balance.intake = ceiling.map(i128::from);
        }
    }

    /// One answer for each order, in order. Only holds of accounts that the list leads to are looked at by the clock.
    pub(crate) fn list(&mut self, now: Time, orders: &[Order]) -> Vec<Answer> {
        let led_to = orders.iter().flat_map(|order| self.accounts_of(order)).collect();
        self.expire(now, Some(&led_to));
        let mut answers = Vec::new();
        for run in orders.chunk_by(|one, next| one.group.is_some() && one.group == next.group) {
            if run[0].group.is_some() {
                answers.extend(self.group(now, run));
            } else {
                answers.extend(run.iter().map(|order| self.one(now, order)));
            }
        }
        answers
    }

    pub(crate) fn accounts_of(&self, order: &Order) -> BTreeSet<Account> {
        let account = |party: Party, coin: Coin| match party {
            Party::Wallet(wallet) => home(wallet).map(|home| (party, home)),
            _ => Some((party, coin)),
        };
        let of_hold = |hold: &Id| self.holds.get(hold).map(|hold| hold.account);
        let of_posting = |posting: &Id| {
            let steps = self.moved.get(posting).map(|moved| moved.steps.to_vec()).unwrap_or_default();
            steps.into_iter().map(|step| step.account)
        };
        let of_parts = |parts: &[Part]| {
            let accounts = parts.iter().filter_map(|part| account(part.party, part.coin));
            accounts.collect::<BTreeSet<_>>()
        };
        match &order.deed {
            Deed::Move(legs) => {
                let sides = legs.iter().flat_map(|leg| [(leg.from, leg.coin), (leg.to, leg.coin)]);
                sides.filter_map(|(party, coin)| account(party, coin)).collect()
            }
            Deed::Hold { on, .. } => of_parts(&[*on]),
            Deed::Capture { hold, to, .. } => of_hold(hold).into_iter().chain(of_parts(to)).collect(),
            Deed::CaptureAll { hold, to, coin } => {
                of_hold(hold).into_iter().chain(account(*to, *coin)).collect()
            }
            Deed::Release { hold } => of_hold(hold).into_iter().collect(),
            Deed::Reverse { posting } => of_posting(posting).collect(),
            Deed::Refund { posting, from } => of_posting(posting).chain(of_parts(from)).collect(),
        }
    }

    fn one(&mut self, now: Time, order: &Order) -> Answer {
        if let Some(answer) = self.known(order) {
            return answer;
        }
        let refused = self.attempt(now, order).err();
        self.decided.insert(order.id, (Rc::new(order.clone()), refused));
        Answer { refused, again: false }
    }

    fn known(&self, order: &Order) -> Option<Answer> {
        let (earlier, refused) = self.decided.get(&order.id)?;
        let same = **earlier == *order;
        Some(if same { Answer { refused: *refused, again: true } } else { MISMATCH })
    }

    /// All of it or nothing.
    fn group(&mut self, now: Time, members: &[Order]) -> Vec<Answer> {
        let distinct: BTreeSet<Id> = members.iter().map(|member| member.id).collect();
        if distinct.len() < members.len() || distinct.iter().any(|id| self.decided.contains_key(id)) {
            return members.iter().map(|member| self.known(member).unwrap_or(MISMATCH)).collect();
        }
        let mut after = self.clone();
        let failed = members.iter().find_map(|member| Some((member.id, after.attempt(now, member).err()?)));
        if failed.is_none() {
            *self = after;
        }
        let refused =
            |member: &Order| failed.map(|(id, code)| if id == member.id { code } else { "group_refused" });
        for member in members {
            self.decided.insert(member.id, (Rc::new(member.clone()), refused(member)));
        }
        members.iter().map(|member| Answer { refused: refused(member), again: false }).collect()
    }

    fn attempt(&mut self, now: Time, order: &Order) -> Result<(), Code> {
        let mut after = self.clone();
        after.carry_out(now, order)?;
        *self = after;
        Ok(())
    }
}

const MISMATCH: Answer = Answer { refused: Some("content_mismatch"), again: false };

/// What each deed does. A refusal may leave half of it done: it is thrown away.
impl Model {
    fn carry_out(&mut self, now: Time, order: &Order) -> Result<(), Code> {
        match &order.deed {
            Deed::Move(legs) => {
                let mut steps = Vec::new();
                for leg in legs {
                    let amount = i128::from(leg.amount);
                    steps.push(Step { account: the(leg.from, leg.coin)?, amount: -amount });
                    steps.push(Step { account: the(leg.to, leg.coin)?, amount });
                }
                self.take(order.id, steps, false)
            }
            Deed::Hold { on, until } => self.place(now, order.id, *on, *until),
            Deed::Capture { hold, to, release_rest } => self.capture(order.id, *hold, to, *release_rest),
            Deed::CaptureAll { hold, to, coin } => {
                let left = self.open(*hold)?.left();
                // What is left was an i64 when it was set aside.
                let amount = i64::try_from(left).map_err(|_| "overflow")?;
                self.capture(order.id, *hold, &[Part { party: *to, coin: *coin, amount }], false)
            }
            Deed::Release { hold } => {
                let released = Hold { stage: Stage::Released, ..self.open(*hold)? };
                self.holds.insert(*hold, released);
                Ok(())
            }
            Deed::Reverse { posting } => self.reverse(order.id, *posting),
            Deed::Refund { posting, from } => self.refund(order.id, *posting, from),
        }
    }

    fn place(&mut self, now: Time, id: Id, on: Part, until: Time) -> Result<(), Code> {
        let account = the(on.party, on.coin)?;
        self.takes_part(Step { account, amount: -1 })?;
        if until <= now {
            return Err("hold_expired");
        }
        let (balance, held) = (self.balances[&account], self.held(account) + i128::from(on.amount));
        if held > i128::from(i64::MAX) {
            return Err("overflow");
        }
        if balance.floor.is_some_and(|floor| balance.posted - held < floor) {
            return Err("insufficient_funds");
        }
        let amount = i128::from(on.amount);
        self.holds.insert(id, Hold { account, amount, captured: 0, until, stage: Stage::Held });
        Ok(())
    }

    fn open(&self, hold: Id) -> Result<Hold, Code> {
        let hold = self.holds.get(&hold).ok_or("hold_not_found")?;
        match hold.stage {
            Stage::Held => Ok(*hold),
            Stage::Expired => Err("hold_expired"),
            Stage::Captured | Stage::Released => Err("hold_closed"),
        }
    }

    fn capture(&mut self, id: Id, hold_id: Id, to: &[Part], release_rest: bool) -> Result<(), Code> {
        let mut hold = self.open(hold_id)?;
        let mut steps = Vec::new();
        for part in to {
            let account = other(hold.account, *part)?;
            steps.push(Step { account: hold.account, amount: -i128::from(part.amount) });
            steps.push(Step { account, amount: part.amount.into() });
        }
        hold.captured += to.iter().map(|part| i128::from(part.amount)).sum::<i128>();
        if hold.captured > hold.amount {
            return Err("hold_exceeded");
        }
        if release_rest || hold.left() == 0 {
            hold.stage = Stage::Captured;
        }
        self.holds.insert(hold_id, hold);
        self.take(id, steps, false)
    }

    fn reverse(&mut self, id: Id, posting: Id) -> Result<(), Code> {
        let mut earlier = self.returnable(posting)?;
        if earlier.reversed || earlier.refunded > 0 {
            return Err("already_returned");
        }
        if earlier.taken().values().any(|taken| *taken > i128::from(i64::MAX)) {
            return Err("not_returnable");
        }
        let back = earlier.steps.iter().rev().map(|step| Step { amount: -step.amount, ..*step }).collect();
        earlier.reversed = true;
        self.moved.insert(posting, earlier);
        self.take(id, back, true)
    }

    fn refund(&mut self, id: Id, posting: Id, from: &[Part]) -> Result<(), Code> {
        let mut earlier = self.returnable(posting)?;
        let taken: Vec<_> = earlier.taken().into_iter().collect();
        let [(payer, taken)] = taken[..] else { return Err("not_returnable") };
        let before = if earlier.reversed { taken } else { earlier.refunded };
        let mut steps = Vec::new();
        for part in from {
            steps.push(Step { account: other(payer, *part)?, amount: -i128::from(part.amount) });
            steps.push(Step { account: payer, amount: part.amount.into() });
        }
        if before == taken {
            return Err("already_returned");
        }
        earlier.refunded = before + from.iter().map(|part| i128::from(part.amount)).sum::<i128>();
        if earlier.refunded > taken.min(i64::MAX.into()) {
            return Err("refund_exceeded");
        }
        self.moved.insert(posting, earlier);
        self.take(id, steps, true)
    }

    fn returnable(&self, posting: Id) -> Result<Moved, Code> {
        let earlier = self.moved.get(&posting).ok_or("posting_not_found")?;
        if earlier.is_return { Err("not_returnable") } else { Ok(earlier.clone()) }
    }

    /// Whether an account takes part is said before what it lacks.
    fn take(&mut self, id: Id, steps: Vec<Step>, is_return: bool) -> Result<(), Code> {
        steps.iter().try_for_each(|step| self.takes_part(*step))?;
        for Step { account, amount } in &steps {
            let held = self.held(*account);
            let balance = self.balances.get_mut(account).ok_or("account_not_found")?;
            balance.posted += amount;
            if i64::try_from(balance.posted).is_err() {
                return Err("overflow");
            }
            if *amount < 0 && balance.floor.is_some_and(|floor| balance.posted - held < floor) {
                return Err("insufficient_funds");
            }
            let ceiling = balance.ceiling.into_iter().chain(balance.intake.filter(|_| !is_return)).min();
            if *amount > 0 && ceiling.is_some_and(|ceiling| balance.posted > ceiling) {
                return Err("ceiling_exceeded");
            }
        }
        self.moved.insert(id, Moved { steps: steps.into(), is_return, ..Moved::default() });
        Ok(())
    }

    fn takes_part(&self, step: Step) -> Result<(), Code> {
        match self.balances[&step.account].status {
            Status::Closed => Err("wallet_closed"),
            Status::Frozen => Err("wallet_frozen"),
            Status::FrozenOut if step.amount < 0 => Err("wallet_frozen"),
            Status::FrozenIn if step.amount > 0 => Err("wallet_frozen"),
            _ => Ok(()),
        }
    }
}

/// The account at the other side of `payer`.
fn other(payer: Account, part: Part) -> Result<Account, Code> {
    let account = the(part.party, part.coin)?;
    if account == payer {
        return Err("same_account");
    }
    if account.1 == payer.1 { Ok(account) } else { Err("currency_mismatch") }
}
