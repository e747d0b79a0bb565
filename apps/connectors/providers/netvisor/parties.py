"""Customers, vendors and products as canonical records. Pure."""

from typing import Any

from apps.connectors.providers.netvisor import forms
from apps.connectors.providers.netvisor.shapes import filled, given, needed
from apps.connectors.sdk.xml import Element, attribute, child, descendants, name_of, plain, text
from apps.records.enums import PartyRole
from apps.records.parties import Address, Contact, EInvoice, Party
from apps.records.products import Product

GROSS = ("gross", "brutto")


def listed_customer(row: Element) -> Party:
    """A row of the short list."""
    return Party(
        external_id=needed(row, "NetvisorKey"),
        role=PartyRole.CUSTOMER,
        name=text(row, "Name") or "",
        number=given(row, "Code"),
        organisation_number=given(row, "OrganisationIdentifier"),
        tags=_tags(row),
        raw=plain(row),
    )


def customer(row: Element) -> Party:
    base = child(row, "CustomerBaseInformation")
    if base is None:
        raise ValueError("no CustomerBaseInformation")
    more, finvoice = child(row, "CustomerAdditionalInformation"), child(row, "CustomerFinvoiceDetails")
    private = forms.flag(text(base, "IsPrivateCustomer"))
    name = text(base, "Name") or ""
    return Party(
        external_id=needed(base, "NetvisorKey"),
        role=PartyRole.CUSTOMER,
        name=name,
        number=given(base, "InternalIdentifier"),
        is_company=None if private is None else not private,
        organisation_number=given(base, "ExternalIdentifier"),
        email=given(base, "Email"),
        phone=given(base, "PhoneNumber"),
        website=given(base, "HomePageUri"),
        contacts=_customer_contacts(row),
        billing_address=_address(
            street=given(base, "StreetAddress"),
            street2=given(base, "AdditionalStreetAddress") or given(base, "AdditionalAddressLine"),
            postal_code=given(base, "PostNumber"),
            city=given(base, "City"),
            country=_country(base, "Country"),
        ),
        delivery_address=_delivery(child(row, "CustomerDeliveryDetails")),
        language=_language(text(more, "InvoicingLanguage")),
        payment_term=given(more, "DefaultPaymentTerm"),
        price_list=given(more, "PriceGroup"),
        credit_limit=forms.decimal(text(more, "BalanceLimit")),
        einvoice=_einvoice(given(finvoice, "FinvoiceAddress"), given(finvoice, "FinvoiceRouterCode")),
        tags=_tags(base),
        active=forms.flag(text(base, "IsActive")) is not False,
        custom=filled(
            name_extension=text(base, "NameExtension"),
            email_invoicing_address=text(base, "EmailInvoicingAddress"),
            fax=text(base, "FaxNumber"),
            comment=text(more, "Comment"),
            reference_number=text(more, "ReferenceNumber"),
            your_default_reference=text(more, "YourDefaultReference"),
            tax_handling_type=text(more, "TaxHandlingType"),
        ),
        raw=plain(row),
    )


def vendor(row: Element) -> Party:
    base = child(row, "VendorBaseInformation")
    if base is None:
        raise ValueError("no VendorBaseInformation")
    told, more = child(row, "VendorContactDetails"), child(row, "VendorAdditionalInformation")
    contact = _contact(
        given(told, "ContactPersonName"), given(told, "ContactPersonEmail"), given(told, "ContactPersonPhoneNumber")
    )
    return Party(
        external_id=given(row, "NetvisorKey") or attribute(row, "netvisorkey") or needed(base, "NetvisorKey"),
        role=PartyRole.SUPPLIER,
        name=text(base, "Name") or "",
        number=given(base, "Code"),
        organisation_number=given(base, "OrganizationId") or given(base, "OrganisationId"),
        email=given(told, "Email"),
        phone=given(told, "PhoneNumber"),
        website=given(told, "HomePage"),
        contacts=(contact,) if contact else (),
        billing_address=_address(
            street=given(base, "Address"),
            postal_code=given(base, "PostCode"),
            city=given(base, "City"),
            country=_country(base, "Country"),
        ),
        payment_term=given(more, "PaymentTerm"),
        bank_accounts=tuple(
            number
            for element in descendants(base, "VendorBankAccounts")
            for part in element.iterdescendants()
            if name_of(part) in ("iban", "bban") and (number := text(part))
        ),
        tags=tuple(tag for tag in (given(base, "GroupName"),) if tag),
        custom=filled(
            fax=text(told, "FaxNumber"), comment=text(told, "Comment"), default_vat_percent=forms.figure(text(more, "DefaultVatPercent"))
        ),
        raw=plain(row),
    )  # fmt: skip


def listed_product(row: Element) -> Product:
    """A row of the short list."""
    return Product(
        external_id=needed(row, "NetvisorKey"),
        product_id=needed(row, "NetvisorKey"),
        sku=given(row, "ProductCode"),
        name=text(row, "Name") or "",
        group=given(row, "ProductGroupDescription"),
        **_prices(row),
        raw=plain(row),
    )


def product(row: Element) -> Product:
    base = child(row, "ProductBaseInformation")
    if base is None:
        raise ValueError("no ProductBaseInformation")
    book, stock = child(row, "ProductBookkeepingDetails"), child(row, "ProductInventoryDetails")
    more = child(row, "ProductAdditionalInformation")
    weight = text(more, "ProductNetWeight") or text(base, "UnitWeight")
    return Product(
        external_id=needed(base, "NetvisorKey"),
        product_id=needed(base, "NetvisorKey"),
        sku=given(base, "ProductCode"),
        name=text(base, "Name") or "",
        description=given(base, "Description"),
        **_prices(base),
        vat_rate=forms.decimal(text(book, "DefaultVatPercent") or text(book, "DefaultVatPercentage")),
        unit=given(base, "Unit"),
        ean=given(more, "PrimaryEanCode"),
        purchase_price=forms.decimal(text(base, "PurchasePrice")),
        account=given(book, "DefaultDomesticAccountNumber"),
        group=given(base, "ProductGroup"),
        weight=forms.decimal(weight),
        stock_tracked=forms.flag(text(base, "InventoryEnabled")),
        active=forms.flag(text(base, "IsActive")) is not False,
        custom=filled(
            is_sales_product=forms.flag(text(base, "IsSalesProduct")),
            tariff_heading=text(base, "TariffHeading"),
            commission_percentage=forms.figure(text(base, "ComissionPercentage")),
            eu_account=text(book, "DefaultEuAccountNumber"),
            outside_eu_account=text(book, "DefaultOutsideEUAccountNumber"),
            inventory_amount=forms.figure(text(stock, "InventoryAmount")),
            weight_unit=attribute(child(more, "ProductNetWeight"), "weightunit"),
        ),
        raw=plain(row),
    )


def _prices(base: Element) -> dict[str, Any]:
    """Net and gross price; a price that does not say which is taken for net. Prices are in the books' currency."""
    price, gross = child(base, "UnitPrice"), forms.decimal(text(base, "UnitGrossPrice"))
    amount, kind = forms.decimal(text(price)), (attribute(price, "type") or "").lower()
    if kind in GROSS:
        return {"price": None, "price_incl_vat": amount}
    return {"price": amount, "price_incl_vat": gross}


def _address(**parts: str | None) -> Address | None:
    return Address(**parts) if any(value for name, value in parts.items() if name != "country") else None


def _delivery(found: Element | None) -> Address | None:
    return _address(
        name=given(found, "DeliveryName"),
        street=given(found, "DeliveryStreetAddress"),
        postal_code=given(found, "DeliveryPostNumber"),
        city=given(found, "DeliveryCity"),
        country=_country(found, "DeliveryCountry"),
    )


def _customer_contacts(row: Element) -> tuple[Contact, ...]:
    own = child(row, "CustomerContactDetails")
    found = [_contact(given(own, "ContactPerson"), given(own, "ContactPersonEmail"), given(own, "ContactPersonPhone"))]
    for person in (*descendants(row, "CustomerContactPersons"), *descendants(row, "CustomerContactPerson")):
        names = (text(person, f"ContactPerson{part}Name") for part in ("First", "Last"))
        name = " ".join(part for part in names if part) or None
        found.append(_contact(name, given(person, "ContactPersonEmail"), given(person, "ContactPersonPhoneNumber")))
    return tuple(dict.fromkeys(contact for contact in found if contact))


def _contact(name: str | None, email: str | None, phone: str | None) -> Contact | None:
    return Contact(name=name, email=email, phone=phone) if name or email or phone else None


def _country(element: Element | None, name: str) -> str | None:
    """The code; a country that came by its name is left out."""
    found = (text(element, name) or "").upper()
    return found if len(found) == 2 and found.isalpha() else None


def _language(told: str | None) -> str | None:
    """ISO 639 of the vendor's country-like codes: SE is Swedish."""
    return {"FI": "fi", "EN": "en", "SE": "sv", "SV": "sv"}.get((told or "").upper())


def _einvoice(address: str | None, operator: str | None) -> EInvoice | None:
    return EInvoice(address=address, operator=operator) if address else None


def _tags(row: Element) -> tuple[str, ...]:
    group = given(row, "CustomerGroupName")
    return (group,) if group else ()
