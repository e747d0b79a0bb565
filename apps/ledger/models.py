from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.clients.models import Client
from apps.core.fields import AmountField
from apps.core.scope import TenantModel
from apps.ledger.enums import FindingKind, Grade, KeptOut, Move, SourceKind, TypeOrigin, Weight
from apps.records.enums import AccountType, Counts, LockKind, VoucherKind


def _choices(kind: type) -> list[tuple[str, str]]:
    return [(item.value, item.value) for item in kind]  # type: ignore[attr-defined]


class ClientModel(TenantModel):
    """A row of one client's books."""

    TENANT_PATH = "client__organisation"
    BOOKS = True

    client = models.ForeignKey(Client, on_delete=models.PROTECT, verbose_name=_("client"))

    class Meta:
        abstract = True


class Source(ClientModel):
    """Where vouchers come from: a connection (`ref` is its plain id) or the client's ledger files (`ref` 0)."""

    kind = models.CharField(_("kind"), max_length=10, choices=SourceKind.choices)
    ref = models.BigIntegerField(default=0)
    label = models.CharField(_("source"), max_length=120)

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        constraints = (models.UniqueConstraint(fields=("client", "kind", "ref"), name="source_once"),)

    def __str__(self) -> str:
        return self.label


class FiscalYear(ClientModel):
    """Any length; no gaps or overlaps. `start` and `end` are inclusive."""

    YEAR_PATH = "end"

    start = models.DateField(_("start"))
    end = models.DateField(_("end"))
    closed = models.BooleanField(_("closed"), default=False)
    currency = models.CharField(_("currency"), max_length=3)
    origin = models.CharField(_("origin"), max_length=10, choices=SourceKind.choices)

    class Meta:
        verbose_name = _("fiscal year")
        verbose_name_plural = _("fiscal years")
        ordering = ("client", "start")
        constraints = (
            models.UniqueConstraint(fields=("client", "start"), name="fiscal_year_once"),
            models.CheckConstraint(condition=models.Q(end__gte=models.F("start")), name="fiscal_year_forward"),
        )

    def __str__(self) -> str:
        return f"{self.start} – {self.end}"

    @property
    def last_period(self) -> int:
        """Period 13 of this year, as `YYYY13` of the year it ends in."""
        return self.end.year * 100 + 13


class Account(ClientModel):
    number = models.CharField(_("number"), max_length=30)
    name = models.CharField(_("name"), max_length=200)
    type = models.CharField(_("type"), max_length=12, choices=_choices(AccountType), default=AccountType.UNKNOWN)
    type_origin = models.CharField(_("type from"), max_length=6, choices=TypeOrigin.choices, default=TypeOrigin.VENDOR)
    vat_code = models.CharField(_("VAT code"), max_length=20, blank=True)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ("client", "number")
        constraints = (models.UniqueConstraint(fields=("client", "number"), name="account_once"),)

    def __str__(self) -> str:
        return f"{self.number} {self.name}".strip()


class AccountYear(ClientModel):
    """What an account was in one fiscal year, where the source keeps a chart per year and it was another than now."""

    YEAR_PATH = "fiscal_year__end"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="years", verbose_name=_("account"))
    fiscal_year = models.ForeignKey(FiscalYear, on_delete=models.CASCADE, verbose_name=_("fiscal year"))
    name = models.CharField(_("name"), max_length=200)
    type = models.CharField(_("type"), max_length=12, choices=_choices(AccountType), default=AccountType.UNKNOWN)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("account in a year")
        verbose_name_plural = _("accounts in a year")
        constraints = (models.UniqueConstraint(fields=("account", "fiscal_year"), name="account_year_once"),)

    def __str__(self) -> str:
        return f"{self.account} · {self.fiscal_year}"


class DimensionItem(ClientModel):
    kind = models.CharField(_("dimension"), max_length=60)
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=200)
    parent = models.CharField(_("parent"), max_length=60, blank=True)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("dimension")
        verbose_name_plural = _("dimensions")
        ordering = ("client", "kind", "code")
        constraints = (models.UniqueConstraint(fields=("client", "kind", "code"), name="dimension_once"),)

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class DimensionSet(ClientModel):
    """One distinct combination of dimensions; the one with an empty key stands for none."""

    key = models.CharField(max_length=400)
    items = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("dimension set")
        verbose_name_plural = _("dimension sets")
        constraints = (models.UniqueConstraint(fields=("client", "key"), name="dimension_set_once"),)

    def __str__(self) -> str:
        return self.key or "–"


class Voucher(ClientModel):
    """A voucher as the source has it now. A deleted one keeps its row and its earlier lines, without postings."""

    YEAR_PATH = "fiscal_year__end"

    source_id = models.BigIntegerField()
    external_id = models.CharField(_("id at the source"), max_length=120)
    fiscal_year = models.ForeignKey(FiscalYear, on_delete=models.PROTECT, null=True, verbose_name=_("fiscal year"))
    period = models.PositiveIntegerField(_("period"), default=0)
    series = models.CharField(_("series"), max_length=20, blank=True)
    number = models.CharField(_("number"), max_length=40, blank=True)
    date = models.DateField(_("date"))
    kind = models.CharField(_("kind"), max_length=16, choices=_choices(VoucherKind))
    counts = models.CharField(_("counts"), max_length=12, choices=_choices(Counts))
    kept_out = models.CharField(_("kept out"), max_length=16, choices=KeptOut.choices, default=KeptOut.NO, blank=True)
    difference = AmountField(_("difference"), default=0)
    text = models.CharField(_("text"), max_length=400, blank=True)
    reverses = models.CharField(max_length=120, blank=True)
    reversed_by = models.CharField(max_length=120, blank=True)
    url = models.CharField(max_length=300, blank=True)
    custom = models.JSONField(default=dict)
    hash = models.CharField(max_length=32)
    version = models.PositiveIntegerField(_("version"), default=1)
    first_seen_at = models.DateTimeField(_("first seen"))
    changed_at = models.DateTimeField(_("last change seen"))
    deleted_at = models.DateTimeField(_("deleted"), null=True)
    exchange_id = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = _("voucher")
        verbose_name_plural = _("vouchers")
        ordering = ("-date", "-id")
        constraints = (models.UniqueConstraint(fields=("client", "source_id", "external_id"), name="voucher_once"),)
        indexes = (models.Index(fields=("client", "date")),)

    def __str__(self) -> str:
        return f"{self.series}{self.number or '–'} · {self.date}"


class VoucherVersion(ClientModel):
    """How a voucher was before it changed, moved or was deleted; for a back-dated new one `before` is empty."""

    YEAR_PATH = "voucher__fiscal_year__end"

    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, related_name="versions", verbose_name=_("voucher"))
    version = models.PositiveIntegerField(_("version"))
    move = models.CharField(_("what happened"), max_length=10, choices=Move.choices)
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    effect = AmountField(_("effect on result"), default=0)
    period = models.PositiveIntegerField(_("period"))
    in_closed = models.BooleanField(_("in a closed period"), default=False)
    run_id = models.BigIntegerField(null=True)
    seen_at = models.DateTimeField(_("seen"))

    class Meta:
        verbose_name = _("voucher version")
        verbose_name_plural = _("voucher versions")
        ordering = ("-id",)
        indexes = (models.Index(fields=("client", "run_id")),)

    def __str__(self) -> str:
        return f"{self.voucher} · {self.get_move_display()}"


class Posting(ClientModel):
    """One line. `period` is `YYYYMM`, or `YYYY13` after the last month of the fiscal year that ends in YYYY."""

    YEAR_PATH = "fiscal_year__end"

    voucher = models.ForeignKey(Voucher, on_delete=models.CASCADE, related_name="postings", verbose_name=_("voucher"))
    row = models.IntegerField(_("row"))
    external_id = models.CharField(max_length=60, blank=True)
    date = models.DateField(_("date"))
    fiscal_year = models.ForeignKey(FiscalYear, on_delete=models.PROTECT, null=True, db_index=False)
    period = models.PositiveIntegerField(_("period"))
    account = models.ForeignKey(Account, on_delete=models.PROTECT, verbose_name=_("account"), db_index=False)
    dimension_set = models.ForeignKey(
        DimensionSet, on_delete=models.PROTECT, verbose_name=_("dimensions"), db_index=False
    )
    weight = models.CharField(_("counts"), max_length=11, choices=Weight.choices)
    amount = AmountField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    foreign_amount = AmountField(_("foreign amount"), null=True)
    vat_code = models.CharField(_("VAT code"), max_length=20, blank=True)
    tax_role = models.CharField(max_length=4, blank=True)
    quantity = models.DecimalField(_("quantity"), max_digits=24, decimal_places=10, null=True)
    text = models.CharField(_("text"), max_length=400, blank=True)
    party = models.CharField(_("party"), max_length=160, blank=True)

    class Meta:
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        ordering = ("voucher", "row", "id")
        indexes = (
            models.Index(fields=("client", "fiscal_year", "period", "account", "dimension_set"), name="posting_cell"),
        )

    def __str__(self) -> str:
        return f"{self.account} {self.amount}"


class Cell(ClientModel):
    """What a balance is the sum of."""

    YEAR_PATH = "fiscal_year__end"

    fiscal_year = models.ForeignKey(FiscalYear, on_delete=models.PROTECT, verbose_name=_("fiscal year"))
    period = models.PositiveIntegerField(_("period"))
    account = models.ForeignKey(Account, on_delete=models.PROTECT, verbose_name=_("account"))
    dimension_set = models.ForeignKey(DimensionSet, on_delete=models.PROTECT, verbose_name=_("dimensions"))

    class Meta:
        abstract = True


class TouchedCell(Cell):
    """A cell whose balance must be computed again; written with what touched it, gone when it is done."""

    class Meta:
        verbose_name = _("touched cell")
        verbose_name_plural = _("touched cells")

    def __str__(self) -> str:
        return f"{self.account} {self.period}"


class Balance(Cell):
    """Posted debit and credit of a cell (both positive), and what drafts would add. Movement = debit - credit."""

    debit = AmountField(_("debit"))
    credit = AmountField(_("credit"))
    provisional = AmountField(_("provisional"))
    postings = models.PositiveIntegerField(_("postings"))

    class Meta:
        verbose_name = _("balance")
        verbose_name_plural = _("balances")
        constraints = (
            models.UniqueConstraint(
                fields=("client", "fiscal_year", "period", "account", "dimension_set"), name="balance_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.account} {self.period}"


class OpeningBalance(ClientModel):
    """The opening that the source itself gives for a fiscal year."""

    YEAR_PATH = "fiscal_year__end"

    fiscal_year = models.ForeignKey(FiscalYear, on_delete=models.PROTECT, verbose_name=_("fiscal year"))
    account = models.ForeignKey(Account, on_delete=models.PROTECT, verbose_name=_("account"))
    amount = AmountField(_("amount"))
    source_id = models.BigIntegerField()

    class Meta:
        verbose_name = _("opening balance")
        verbose_name_plural = _("opening balances")
        constraints = (models.UniqueConstraint(fields=("fiscal_year", "account"), name="opening_once"),)

    def __str__(self) -> str:
        return f"{self.account} {self.amount}"


class Figure(ClientModel):
    """A number beside the books (budget, hours, any KPI)."""

    source_id = models.BigIntegerField()
    series = models.CharField(_("series"), max_length=40)
    period = models.PositiveIntegerField(_("period"))
    key = models.CharField(_("key"), max_length=60)
    dimension_set = models.ForeignKey(DimensionSet, on_delete=models.PROTECT, verbose_name=_("dimensions"))
    value = models.DecimalField(_("value"), max_digits=24, decimal_places=10)
    unit = models.CharField(_("unit"), max_length=20, blank=True)

    class Meta:
        verbose_name = _("figure")
        verbose_name_plural = _("figures")
        constraints = (
            models.UniqueConstraint(
                fields=("client", "source_id", "series", "period", "key", "dimension_set"), name="figure_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.series} {self.key} {self.period}"


class Lock(ClientModel):
    kind = models.CharField(_("kind"), max_length=8, choices=_choices(LockKind))
    until = models.DateField(_("locked until"))

    class Meta:
        verbose_name = _("lock")
        verbose_name_plural = _("locks")
        constraints = (models.UniqueConstraint(fields=("client", "kind"), name="lock_once"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.until}"


class LedgerFile(ClientModel):
    """A file that was taken in; the same file again changes nothing."""

    name = models.CharField(_("file"), max_length=200)
    digest = models.CharField(max_length=64)
    taken_at = models.DateTimeField(_("taken in"), auto_now=True)
    outcome = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("ledger file")
        verbose_name_plural = _("ledger files")
        constraints = (models.UniqueConstraint(fields=("client", "digest"), name="ledger_file_once"),)

    def __str__(self) -> str:
        return self.name


class Proof(ClientModel):
    """One comparison with the source: evidence, kept as long as the books. `run_id` is a plain id.

    `differences`: [{account, name, period, part, ours, theirs, difference}]; `missing`: sentences' facts of what
    was not read.
    """

    source_id = models.BigIntegerField()
    run_id = models.BigIntegerField(null=True)
    grade = models.PositiveSmallIntegerField(_("grade"), choices=Grade.choices)
    source_label = models.CharField(_("source"), max_length=120)
    at = models.DateTimeField(_("at"))
    control_difference = AmountField(_("control difference"), default=0)
    differences = models.JSONField(default=list)
    missing = models.JSONField(default=list)
    accounts = models.PositiveIntegerField(_("accounts compared"), default=0)
    last_entry = models.DateField(_("last entry"), null=True)
    closed_to = models.DateField(_("closed to"), null=True)

    class Meta:
        verbose_name = _("proof")
        verbose_name_plural = _("proofs")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.get_grade_display()


class LedgerState(ClientModel):
    """Where a client's books stand now: its latest proof. One row a client, so that lists and the API need one query."""

    client = models.OneToOneField(Client, on_delete=models.CASCADE, related_name="ledger_state")
    proof = models.ForeignKey(Proof, on_delete=models.PROTECT, null=True)
    recalculated_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("state of the books")
        verbose_name_plural = _("states of the books")

    def __str__(self) -> str:
        return str(self.proof or "–")


class Finding(ClientModel):
    """Something true about the books that a person should know; it goes when it is no longer true."""

    kind = models.CharField(_("finding"), max_length=16, choices=FindingKind.choices)
    key = models.CharField(max_length=160)
    period = models.PositiveIntegerField(_("period"), null=True)
    amount = AmountField(_("amount"), null=True)
    facts = models.JSONField(default=dict)
    first_at = models.DateTimeField(_("since"), auto_now_add=True)
    resolved_at = models.DateTimeField(_("resolved"), null=True)

    class Meta:
        verbose_name = _("finding")
        verbose_name_plural = _("findings")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("client", "kind", "key"), condition=models.Q(resolved_at=None), name="finding_open_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.key}"
